// Command kinds-facts writes down the facts (names, numbers, tags) of the built-in kinds.
//
// It reads them from upstream's own public modules: Go types by reflection, the published OpenAPI
// definitions, and the registry that the real server is made of. `cargo xtask kinds` runs it.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// head explains the format; it is written at the top of the data file.
//
//go:embed head.txt
var head string

func main() {
	into := flag.String("into", "", "directory below which the files are written")
	server := flag.String("compare", "", "write nothing, but compare with the upstream server at this URL")
	token := flag.String("token", "", "bearer token for -compare")
	flag.Parse()
	if *server != "" {
		compare(*server, *token)
		return
	}
	if *into == "" {
		fail("-into is missing")
	}
	served, unserved := kinds()
	write(*into, "crates/kinds/data/kinds.txt", served)
	write(*into, "crates/schema/tests/all/unserved.txt", unserved)
	write(*into, "crates/kinds/data/bootstrap-flowcontrol.json", bootstrapFlowControl())
	write(*into, "crates/kinds/data/bootstrap-priorityclasses.json", bootstrapPriorityClasses())
	write(*into, "crates/kinds/tests/tables/cells.jsonl", cells())
	write(*into, "crates/kinds/tests/tables/conversions.jsonl", conversions())
	write(*into, "crates/access/data/bootstrap-rbac.json", bootstrapRBAC())
}

// kinds describes what is served, and then what upstream knows besides.
func kinds() (served, unserved []string) {
	all := collectTypes()
	served = append(strings.Split(strings.TrimRight(head, "\n"), "\n"), all.lines()...)
	served = append(served, describeRegistry(collectRegistry())...)
	all.unserved()
	unserved = append(strings.Split(strings.TrimRight(unservedHead, "\n"), "\n"), all.lines()...)
	return served, unserved
}

func (all *types) lines() []string {
	var lines []string
	for _, p := range all.sorted() {
		if len(p.types) == 0 {
			continue
		}
		lines = append(lines, fmt.Sprintf("package %s %s", p.short, p.openapi))
		for _, described := range p.sorted() {
			lines = append(lines, described...)
		}
	}
	return append(lines, all.kinds...)
}

const unservedHead = `# Kinds of upstream that are not served by default, as shapes only: older, newer or gone.
# Written by ` + "`cargo xtask kinds`" + ` from the public k8s.io modules, v1.37.1; do not edit.
#
# The format is that of kinds.txt, which holds the types that both share. The server does not carry
# this file: tests read it, to prove the codec on every kind of upstream's golden corpus.
`

func write(into, name string, lines []string) {
	must(os.WriteFile(filepath.Join(into, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "kinds-facts: "+format+"\n", arguments...)
	os.Exit(1)
}
