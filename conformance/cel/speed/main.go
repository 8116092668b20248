// Command speed measures how long cel-go takes to evaluate the rules of speed.json, compiled as
// k8s.io/apiextensions-apiserver compiles them: cost tracking, limits and all. Only the evaluation is
// measured; the object was made a value before.
//
// It prints a line per rule: its name, the median of nanoseconds per evaluation, and its cost. The
// time is that of the thread on a processor, so what else runs on the machine counts little, and the
// collector's own threads do not count at all.
//
//	go run .
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"github.com/google/cel-go/interpreter"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	kjson "k8s.io/apimachinery/pkg/util/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Samples, and how long each lasts at least: the time is only told to four milliseconds.
const (
	samples     = 30
	sampleNanos = 4e7
)

type input struct {
	Rules []struct {
		Name string `json:"name"`
		Rule string `json:"rule"`
	} `json:"rules"`
	Schema *apiextensionsv1.JSONSchemaProps `json:"schema"`
	Object json.RawMessage                  `json:"object"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// spentNanos returns how long this thread was on a processor.
func spentNanos() float64 {
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	must(err)
	spent, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	must(err)
	return spent
}

func main() {
	runtime.LockOSThread()
	var known input
	text, err := os.ReadFile("speed.json")
	must(err)
	must(json.Unmarshal(text, &known))
	var object any
	must(kjson.Unmarshal(known.Object, &object))
	for _, one := range known.Rules {
		v1 := known.Schema.DeepCopy()
		v1.XValidations = apiextensionsv1.ValidationRules{{Rule: one.Rule}}
		var internal apiextensions.JSONSchemaProps
		must(apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, &internal, nil))
		schema, err := structuralschema.NewStructural(&internal)
		must(err)
		envs := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
		results, err := cel.Compile(schema, model.SchemaDeclType(schema, true), celconfig.PerCallLimit, envs, cel.StoredExpressionsEnvLoader())
		must(err)
		if results[0].Error != nil {
			panic(results[0].Error)
		}
		program := results[0].Program
		activation, err := interpreter.NewActivation(map[string]any{"self": cel.UnstructuredToVal(object, schema)})
		must(err)
		value, details, err := program.Eval(activation)
		must(err)
		if value.Value() != true {
			panic(fmt.Sprintf("%s: %v", one.Name, value))
		}
		var spent []float64
		for range samples {
			start, count, passed := spentNanos(), 0.0, 0.0
			for passed < sampleNanos {
				for range 100 {
					_, _, _ = program.Eval(activation)
				}
				count += 100
				passed = spentNanos() - start
			}
			spent = append(spent, passed/count)
		}
		sort.Float64s(spent)
		fmt.Printf("%s %.0f %d\n", one.Name, spent[len(spent)/2], *details.ActualCost())
	}
}
