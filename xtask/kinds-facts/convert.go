package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
)

// otherVersion of the kinds whose versions differ in their fields.
var otherVersion = map[string]schema.GroupVersion{
	"v1 Event":                               {Group: "events.k8s.io", Version: "v1"},
	"events.k8s.io/v1 Event":                 {Version: "v1"},
	"autoscaling/v1 HorizontalPodAutoscaler": {Group: "autoscaling", Version: "v2"},
	"autoscaling/v2 HorizontalPodAutoscaler": {Group: "autoscaling", Version: "v1"},
}

// conversions gives each such object of the tests, in the other version, and back again.
func conversions() []string {
	file, err := os.Open(objectsFile)
	must(err)
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	var lines []string
	for scanner.Scan() {
		var head metav1.TypeMeta
		must(json.Unmarshal(scanner.Bytes(), &head))
		other, ok := otherVersion[head.APIVersion+" "+head.Kind]
		if !ok {
			continue
		}
		line := atTime(scanner.Text(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		own, err := schema.ParseGroupVersion(head.APIVersion)
		must(err)
		from := inVersion([]byte(line), own)
		to := inVersion(from, other)
		back := inVersion(to, own)
		lines = append(lines, `{"from":`+trimmed(from)+`,"to":`+trimmed(to)+`,"back":`+trimmed(back)+`}`)
	}
	must(scanner.Err())
	return lines
}

func trimmed(text []byte) string {
	return strings.TrimSpace(string(text))
}

func inVersion(text []byte, gv schema.GroupVersion) []byte {
	object, _, err := legacyscheme.Codecs.UniversalDecoder().Decode(text, nil, nil)
	must(err)
	out, err := runtime.Encode(legacyscheme.Codecs.LegacyCodec(gv), object)
	must(err)
	return out
}
