// Command go-oracle prints what upstream answers to the tables of inputs below, one JSON array of
// input and answer per line, into the files that crates/api/tests/oracle.rs reads.
//
//	go run . ../../crates/api/tests/oracle
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func main() {
	write("json", jsonInputs, func(in string) string {
		var v any
		strict, err := kjson.UnmarshalStrict([]byte(in), &v)
		if err != nil {
			return "! " + err.Error()
		}
		out, err := json.Marshal(v)
		if err != nil {
			return "! " + err.Error()
		}
		text := string(out)
		for _, e := range strict {
			text += "\n" + e.Error()
		}
		return text
	})
	write("quantity", quantityInputs(), func(in string) string {
		q, err := resource.ParseQuantity(in)
		if err != nil {
			return "! " + err.Error()
		}
		s := q.String()
		d := q.DeepCopy()
		d.Add(resource.MustParse("0"))
		return fmt.Sprintf("%s %s %s", s, q.Format, d.String())
	})
	write("labels", labelInputs, func(in string) string {
		s, err := labels.Parse(in)
		if err != nil {
			return "! " + err.Error()
		}
		return s.String()
	})
	write("fields", fieldInputs, func(in string) string {
		s, err := fields.ParseSelector(in)
		if err != nil {
			return "! " + err.Error()
		}
		return s.String()
	})
	write("time", timeInputs, func(in string) string {
		b, _ := json.Marshal(in)
		var t metav1.Time
		var m metav1.MicroTime
		return timeAnswer(json.Unmarshal(b, &t), &t) + "\n" + timeAnswer(json.Unmarshal(b, &m), &m)
	})
	write("duration", durationInputs, func(in string) string {
		d, err := time.ParseDuration(in)
		if err != nil {
			return "! " + err.Error()
		}
		return fmt.Sprintf("%d %s", int64(d), d)
	})
	write("yaml-read", yamlInputs, func(in string) string {
		out, err := yaml.YAMLToJSON([]byte(in))
		if err != nil {
			return "!"
		}
		var v any
		if err := kjson.UnmarshalCaseSensitivePreserveInts(out, &v); err != nil {
			return "!"
		}
		text, _ := json.Marshal(v)
		if _, err := yaml.YAMLToJSONStrict([]byte(in)); err != nil {
			return string(text) + "\n" + err.Error()
		}
		return string(text)
	})
	write("yaml-write", yamlOutputs(), func(in string) string {
		out, err := yaml.JSONToYAML([]byte(in))
		if err != nil {
			return "! " + err.Error()
		}
		return string(out)
	})
}

func timeAnswer(err error, v any) string {
	if err != nil {
		return "! " + err.Error()
	}
	out, _ := json.Marshal(v)
	return string(out)
}

func write(name string, inputs []string, answer func(string) string) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	seen := map[string]bool{}
	for _, in := range inputs {
		if seen[in] {
			continue
		}
		seen[in] = true
		if err := enc.Encode([]string{in, answer(in)}); err != nil {
			panic(err)
		}
	}
	path := filepath.Join(os.Args[1], strings.TrimSpace(name)+".jsonl")
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		panic(err)
	}
}
