package config

import (
	"reflect"
	"sort"
	"strings"
)

// environment applies the BOOKSYNC_ variables among environ ("NAME=value") to c.
func (d *decoder) environment(c *Config, environ []string) {
	vars := map[string]string{}
	for _, kv := range environ {
		name, value, ok := strings.Cut(kv, "=")
		if ok && strings.HasPrefix(name, EnvPrefix) && !foreign(name) {
			vars[name] = value
		}
	}
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	sort.Strings(names)
	known := map[string]setting{}
	for _, s := range configSettings() {
		known[s.env()] = s
	}
	root := reflect.ValueOf(c).Elem()
	for _, name := range names {
		rest := strings.TrimPrefix(name, EnvPrefix)
		if _, both := vars[name+"_FILE"]; both && vars[name] != "" {
			if s, ok := known[rest]; ok && s.typ == typeSecret {
				d.problems.add(s.path, name, "unset one of the two", "set both directly and by %s_FILE", name)
				continue
			}
		}
		if org, ok := strings.CutPrefix(rest, "ORGANIZATIONS_"); ok {
			d.organizationVariable(c, name, org, vars[name])
			continue
		}
		if s, ok := known[rest]; ok {
			d.variable(s.path, name, vars[name], root.FieldByIndex(s.index))
			continue
		}
		if s, ok := known[strings.TrimSuffix(rest, "_FILE")]; ok && s.typ == typeSecret {
			d.secretFile(s.path, name, vars[name], root.FieldByIndex(s.index))
			continue
		}
		candidates := make([]string, 0, len(known))
		for k := range known {
			candidates = append(candidates, EnvPrefix+k)
		}
		d.problems.add("", name, didYouMean(name, candidates), "no setting has this variable")
	}
}

// foreign says whether a variable only looks like ours: the configuration's file and profile of the command, what
// Kubernetes sets for a Service named booksync, and what the project's tests are told (BOOKSYNC_TEST_..., BOOKSYNC_VECTORS).
func foreign(name string) bool {
	rest := strings.TrimPrefix(name, EnvPrefix)
	return rest == "CONFIG" || rest == "VECTORS" || rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_") ||
		strings.HasPrefix(rest, "TEST_")
}

// organizationVariable applies BOOKSYNC_ORGANIZATIONS_<NAME>_<SETTING>. NAME is an organisation of the file, or else a new
// one whose name is NAME in lower case; of several ways to split, the longest known name or setting wins.
func (d *decoder) organizationVariable(c *Config, variable, rest, value string) {
	name, s, file := splitOrganization(c.Organizations, rest)
	if name == "" {
		candidates := make([]string, 0, 64)
		prefix := EnvPrefix + "ORGANIZATIONS_"
		for org := range c.Organizations {
			for _, s := range organizationSettings() {
				candidates = append(candidates, prefix+envName(org)+"_"+s.env())
			}
		}
		d.problems.add("", variable, didYouMean(variable, candidates), "no setting of an organisation has this variable")
		return
	}
	if c.Organizations == nil {
		c.Organizations = map[string]Organization{}
	}
	orgs := reflect.ValueOf(c.Organizations)
	elem := newElem(orgs, name)
	path := "organizations." + name + "." + s.path
	if file {
		d.secretFile(path, variable, value, elem.FieldByIndex(s.index))
	} else {
		d.variable(path, variable, value, elem.FieldByIndex(s.index))
	}
	orgs.SetMapIndex(reflect.ValueOf(name), elem)
}

func splitOrganization(orgs map[string]Organization, rest string) (name string, found setting, file bool) {
	bySetting := map[string]setting{}
	for _, s := range organizationSettings() {
		bySetting[s.env()] = s
	}
	match := func(tail string) (setting, bool, bool) {
		if s, ok := bySetting[tail]; ok {
			return s, false, true
		}
		if s, ok := bySetting[strings.TrimSuffix(tail, "_FILE")]; ok && strings.HasSuffix(tail, "_FILE") && s.typ == typeSecret {
			return s, true, true
		}
		return setting{}, false, false
	}
	for org := range orgs {
		tail, ok := strings.CutPrefix(rest, envName(org)+"_")
		if !ok || len(org) < len(name) || len(org) == len(name) && org > name {
			continue
		}
		if s, f, ok := match(tail); ok {
			name, found, file = org, s, f
		}
	}
	if name != "" {
		return name, found, file
	}
	for i := 1; i < len(rest); i++ { // the first split has the longest setting
		if rest[i] != '_' {
			continue
		}
		if s, f, ok := match(rest[i+1:]); ok {
			return strings.ToLower(rest[:i]), s, f
		}
	}
	return "", setting{}, false
}

// variable sets v from one text: a scalar as it is, a list with commas, a map (or a list that starts with a bracket) as YAML.
func (d *decoder) variable(path, name, text string, v reflect.Value) {
	switch {
	case isScalar(v.Type()):
		d.text(path, name, text, v)
	case v.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(text), "["):
		d.commas(path, name, text, v)
	default:
		fresh := reflect.New(v.Type()).Elem()
		d.document(path, name, []byte(text), false, fresh)
		v.Set(fresh)
	}
}
