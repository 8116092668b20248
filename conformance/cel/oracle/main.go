// Command oracle prints what upstream thinks of rules in CEL: whether they compile, what they cost at
// most, and what they say of objects and at which cost.
//
// It reads lines of JSON ({"schema": …, "rule": …, "object": …}) from standard input, whose schemas
// and objects are names in ../shapes.json, and writes them back with the facts. Files given as
// arguments are read for CustomResourceDefinitions, whose rules are printed one a line.
//
//	go run . < ../rules.txt > ../rules.jsonl
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

type rule struct {
	Path        string `json:"path"`
	Rule        int    `json:"rule"`
	Cost        uint64 `json:"cost"`
	Cardinality uint64 `json:"cardinality"`
	Error       string `json:"error,omitempty"`
	Message     uint64 `json:"message,omitempty"`
}

type verdict struct {
	Schema      string   `json:"schema"`
	Rule        string   `json:"rule"`
	Object      string   `json:"object,omitempty"`
	Old         string   `json:"old,omitempty"`
	Cost        uint64   `json:"cost"`
	Cardinality uint64   `json:"cardinality"`
	Error       string   `json:"error,omitempty"`
	Errors      []string `json:"errors,omitempty"`
	Spent       int64    `json:"spent,omitempty"`
}

type shapes struct {
	Schemas map[string]*apiextensionsv1.JSONSchemaProps `json:"schemas"`
	Objects map[string]json.RawMessage                  `json:"objects"`
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, file := range os.Args[1:] {
		definitions(file, out)
	}
	if len(os.Args) > 1 {
		return
	}
	var known shapes
	text, err := os.ReadFile("../shapes.json")
	must(err)
	must(json.Unmarshal(text, &known))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var one verdict
		must(json.Unmarshal(lines.Bytes(), &one))
		judge(&known, &one)
		write(out, one)
	}
}

func write(out *bufio.Writer, value any) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(value))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func convert(v1 *apiextensionsv1.JSONSchemaProps) *structuralschema.Structural {
	var internal apiextensions.JSONSchemaProps
	must(apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(v1, &internal, nil))
	schema, err := structuralschema.NewStructural(&internal)
	must(err)
	return schema
}

func judge(known *shapes, one *verdict) {
	v1 := known.Schemas[one.Schema].DeepCopy()
	v1.XValidations = apiextensionsv1.ValidationRules{{Rule: one.Rule}}
	schema := convert(v1)
	found := []rule{}
	walk(schema, model.SchemaDeclType(schema, true), "", &found)
	one.Cost, one.Cardinality, one.Error = found[0].Cost, found[0].Cardinality, found[0].Error
	if one.Object == "" {
		return
	}
	var object, old any
	must(kjson.Unmarshal(known.Objects[one.Object], &object))
	if one.Old != "" {
		must(kjson.Unmarshal(known.Objects[one.Old], &old))
	}
	validator := cel.NewValidator(schema, true, celconfig.PerCallLimit)
	errs, left := validator.Validate(context.Background(), nil, schema, object, old, celconfig.RuntimeCELCostBudget)
	for _, err := range errs {
		one.Errors = append(one.Errors, err.Error())
	}
	sort.Strings(one.Errors)
	one.Spent = celconfig.RuntimeCELCostBudget - left
}

func walk(schema *structuralschema.Structural, decl *apiservercel.DeclType, path string, found *[]rule) {
	if schema == nil || decl == nil {
		return
	}
	if len(schema.XValidations) > 0 {
		envs := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
		results, err := cel.Compile(schema, decl, celconfig.PerCallLimit, envs, cel.NewExpressionsEnvLoader())
		must(err)
		for place, result := range results {
			one := rule{Path: path, Rule: place, Cost: result.MaxCost, Cardinality: result.MaxCardinality, Message: result.MessageExpressionMaxCost}
			if result.Error != nil {
				one.Error = result.Error.Detail
			} else if result.MessageExpressionError != nil {
				one.Error = result.MessageExpressionError.Detail
			}
			*found = append(*found, one)
		}
	}
	names := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		property := schema.Properties[name]
		var inner *apiservercel.DeclType
		if escaped, ok := apiservercel.Escape(name); ok {
			if field, ok := decl.Fields[escaped]; ok {
				inner = field.Type
			}
		} else {
			inner = model.SchemaDeclType(&property, property.XEmbeddedResource)
		}
		walk(&property, inner, path+"."+name, found)
	}
	walk(schema.Items, decl.ElemType, path+"[]", found)
	if schema.AdditionalProperties != nil {
		walk(schema.AdditionalProperties.Structural, decl.ElemType, path+"{}", found)
	}
}

type fact struct {
	CRD string `json:"crd"`
	rule
}

func definitions(file string, out *bufio.Writer) {
	text, err := os.ReadFile(file)
	must(err)
	for _, document := range bytes.Split(append([]byte("\n"), text...), []byte("\n---")) {
		if !bytes.Contains(document, []byte("kind: CustomResourceDefinition")) {
			continue
		}
		var crd apiextensionsv1.CustomResourceDefinition
		must(yaml.Unmarshal(document, &crd))
		for _, version := range crd.Spec.Versions {
			schema := convert(version.Schema.OpenAPIV3Schema)
			found := []rule{}
			walk(schema, model.SchemaDeclType(schema, true), "", &found)
			for _, one := range found {
				write(out, fact{CRD: fmt.Sprintf("%s/%s", crd.Name, version.Name), rule: one})
			}
		}
	}
}
