package main

import (
	"bufio"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/registry/rest"
)

// objectsFile holds one object a line, as the tests of `kinds` read it. A text `@-90s` stands for
// the time 90 seconds ago, `@-90s#` for the same with six digits of fraction.
const objectsFile = "../../crates/kinds/tests/tables/objects.jsonl"

var ago = regexp.MustCompile(`"@-(\d+)s(#?)"`)

// cells gives what upstream's own printers make of each object.
func cells() []string {
	file, err := os.Open(objectsFile)
	must(err)
	defer file.Close()
	all := collectRegistry()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	var lines []string
	for scanner.Scan() {
		lines = append(lines, cellsOf(all, scanner.Text()))
	}
	must(scanner.Err())
	return lines
}

// cellsOf asks again when a second ends meanwhile: the printers look at the clock themselves.
func cellsOf(all []served, line string) string {
	for {
		now := time.Now().Truncate(time.Second)
		made := cellsAt(all, line, now)
		if time.Now().Truncate(time.Second).Equal(now) {
			return made
		}
	}
}

func cellsAt(all []served, line string, now time.Time) string {
	line = atTime(line, now)
	var head metav1.TypeMeta
	must(json.Unmarshal([]byte(line), &head))
	for _, version := range all {
		for _, resource := range version.resources {
			if version.gv.String() != head.APIVersion || resource.ResponseKind.Kind != head.Kind {
				continue
			}
			object, _, err := codecs(version).UniversalDecoder().Decode([]byte(line), nil, nil)
			must(err)
			converter := version.storage[resource.Resource].(rest.TableConvertor)
			table, err := converter.ConvertToTable(occasion(version, resource.Resource, "", false), object, &metav1.TableOptions{NoHeaders: true})
			must(err)
			return compact(relative(table.Rows[0].Cells, now))
		}
	}
	fail("no resource has %s %s", head.APIVersion, head.Kind)
	return ""
}

// relative turns times that are shown as such back into how long ago they were.
func relative(cells []any, now time.Time) []any {
	for i, cell := range cells {
		text, ok := cell.(string)
		if !ok {
			continue
		}
		if then, err := time.Parse(time.RFC3339, text); err == nil && then.Year() > 1 {
			cells[i] = "@-" + strconv.Itoa(int(now.Sub(then).Round(time.Second)/time.Second)) + "s"
		}
	}
	return cells
}

// atTime puts times in the place of texts that say how long ago they were.
func atTime(line string, now time.Time) string {
	return ago.ReplaceAllStringFunc(line, func(found string) string {
		parts := ago.FindStringSubmatch(found)
		seconds, err := strconv.Atoi(parts[1])
		must(err)
		layout := time.RFC3339
		if parts[2] != "" {
			layout = metav1.RFC3339Micro
		}
		return strconv.Quote(now.Add(-time.Duration(seconds) * time.Second).UTC().Format(layout))
	})
}
