package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/booksync/booksync/internal/testkit"
)

type dashboard struct {
	UID        string `json:"uid"`
	Templating struct {
		List []struct {
			Name string `json:"name"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID          int    `json:"id"`
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
		GridPos     struct {
			X, Y, W, H int
		} `json:"gridPos"`
		Targets []struct {
			Expr string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

var (
	variable = regexp.MustCompile(`\$\{?([a-z]+)`)
	grouping = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
	label    = regexp.MustCompile(`[a-z_]+`)
	runbook  = regexp.MustCompile(`docs/runbooks/[a-z-]+\.md`)
)

func TestDashboardShowsWhatIsExposed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("grafana/booksync.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	exposed, labels := scrape(t)
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	for _, use := range variable.FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(variables, use[1]) {
			t.Errorf("the variable %s is not declared", use[0])
		}
	}
	ids, n := map[int]bool{}, 0
	for _, p := range d.Panels {
		if ids[p.ID] || p.GridPos.W < 1 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: id %d is there twice, or its place is outside: %+v", p.Title, p.ID, p.GridPos)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			n++
			used := metricName.FindAllString(target.Expr, -1)
			if len(used) == 0 {
				t.Errorf("%s: no metric in %s", p.Title, target.Expr)
			}
			for _, metric := range used {
				if !exposed[metric] {
					t.Errorf("%s: %s is not exposed", p.Title, metric)
				}
			}
			names := matched.FindAllStringSubmatch(target.Expr, -1)
			for _, group := range grouping.FindAllStringSubmatch(target.Expr, -1) {
				for _, name := range label.FindAllString(group[1], -1) {
					names = append(names, []string{"", name})
				}
			}
			for _, name := range names {
				if name[1] != "instance" && !slices.ContainsFunc(used, func(metric string) bool { return labels[metric+"{"+name[1]] }) {
					t.Errorf("%s: none of %v has the label %s", p.Title, used, name[1])
				}
			}
		}
		for _, page := range runbook.FindAllString(p.Description, -1) {
			if _, err := os.Stat(filepath.Join(testkit.Root(t), filepath.FromSlash(page))); err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d queries only", n)
	}
}
