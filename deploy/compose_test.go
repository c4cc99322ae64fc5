package deploy

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/booksync/booksync/internal/testkit"
)

func loadCompose(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	root := testkit.Root(t)
	opts, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnv(nil), cli.WithProfiles(profiles), cli.WithName("booksync"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatalf("loading docker-compose.yml: %v", err)
	}
	return project
}

func TestComposeHasTheWholeJob(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	for _, name := range []string{"kafka", "redis", "schema-registry", "simulator", "booksync"} {
		service, err := project.GetService(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check := service.HealthCheck
		if check == nil || check.Disable || len(check.Test) < 2 || check.Interval == nil || check.Timeout == nil || check.Retries == nil {
			t.Errorf("%s: has no complete health check", name)
		}
	}
}

func TestComposePublishesOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	taken := map[string]string{}
	for name, service := range loadCompose(t, "cli").Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %d is published on %q", name, port.Target, port.HostIP)
			}
			if other := taken[port.Published]; other != "" {
				t.Errorf("%s: port %s is %s's already", name, port.Published, other)
			}
			taken[port.Published] = name
		}
	}
}

func TestComposePinsItsImages(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`:\d+\.\d+\.\d+(-[a-z0-9.]+)?$`)
	for name, service := range loadCompose(t, "cli").Services {
		if service.Build != nil {
			if service.Build.Dockerfile != "deploy/Dockerfile" {
				t.Errorf("%s: is built from %q", name, service.Build.Dockerfile)
			}
			continue
		}
		if !pinned.MatchString(service.Image) {
			t.Errorf("%s: image %q names no exact version", name, service.Image)
		}
	}
}

func TestComposeWaitsForWhatItNeeds(t *testing.T) {
	t.Parallel()
	const healthy, done = types.ServiceConditionHealthy, types.ServiceConditionCompletedSuccessfully
	want := map[string]map[string]string{
		"schema-registry": {"kafka": healthy},
		"topics":          {"kafka": healthy},
		"setup":           {"kafka": healthy, "redis": healthy, "schema-registry": healthy, "simulator": healthy, "topics": done},
		"booksync":        {"kafka": healthy, "redis": healthy, "schema-registry": healthy, "simulator": healthy, "setup": done},
	}
	project := loadCompose(t)
	for name, needs := range want {
		service, err := project.GetService(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for other, condition := range needs {
			if got := service.DependsOn[other].Condition; got != condition {
				t.Errorf("%s waits for %s to be %q, want %q", name, other, got, condition)
			}
		}
	}
}

func TestComposeKeepsTheData(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	for name, path := range map[string]string{"kafka": "/var/lib/kafka/data", "redis": "/data"} {
		kept := false
		for _, volume := range project.Services[name].Volumes {
			kept = kept || volume.Type == types.VolumeTypeVolume && volume.Target == path && volume.Source != ""
		}
		if !kept {
			t.Errorf("%s: %s is not on a named volume", name, path)
		}
	}
	command := strings.Join(project.Services["redis"].Command, " ")
	for _, option := range []string{"--appendonly yes", "--maxmemory-policy noeviction"} {
		if !strings.Contains(command, option) {
			t.Errorf("redis is not started with %s", option)
		}
	}
	if got := project.Services["kafka"].Environment["KAFKA_PROCESS_ROLES"]; got == nil || *got != "broker,controller" {
		t.Error("kafka is not in KRaft mode")
	}
}

func TestComposeTakesSecretsFromTheEnvironment(t *testing.T) {
	t.Setenv("BOOKSYNC_REDIS_PASSWORD", "from-outside")
	root := testkit.Root(t)
	opts, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithWorkingDirectory(root), cli.WithOsEnv)
	if err != nil {
		t.Fatal(err)
	}
	project, err := opts.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for service, variable := range map[string]string{"booksync": "BOOKSYNC_REDIS_PASSWORD", "redis": "REDIS_PASSWORD"} {
		if got := project.Services[service].Environment[variable]; got == nil || *got != "from-outside" {
			t.Errorf("%s: %s does not come from the environment", service, variable)
		}
	}
}
