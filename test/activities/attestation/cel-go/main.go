// Evaluates the rules of table.json over its values with cel-go and prints the answers as JSON.
// The answers to a rule are one letter for each value: T true, F false, E error, O another type; "refused" when cel-go
// makes no program of it. A rule that the type checker refuses is evaluated without it, as portcullis has no type checker.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

type table struct {
	Rules  []string `json:"rules"`
	Values []string `json:"values"`
}

func main() {
	text, err := os.ReadFile("table.json")
	check(err)
	var rows table
	check(json.Unmarshal(text, &rows))
	env, err := cel.NewEnv(cel.Variable("predicate", cel.DynType), ext.Strings())
	check(err)
	answers := map[string]string{}
	for _, rule := range rows.Rules {
		answers[rule] = answersOf(env, rule, rows.Values)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	check(out.Encode(map[string]any{"celGo": version(), "answers": answers}))
}

func answersOf(env *cel.Env, rule string, values []string) string {
	ast, issues := env.Compile(rule)
	if issues.Err() != nil {
		ast, issues = env.Parse(rule)
		check(issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		return "refused"
	}
	var line strings.Builder
	for _, value := range values {
		line.WriteString(answerOf(program, value))
	}
	return line.String()
}

// The predicate as plain Go values and as google.protobuf.Struct: both have to give the same answer.
func answerOf(program cel.Program, value string) string {
	plain := map[string]any{}
	message := &structpb.Struct{}
	if value != "" {
		document := fmt.Sprintf(`{"v": %s}`, value)
		if err := json.Unmarshal([]byte(document), &plain); err != nil {
			return "-"
		}
		check(protojson.Unmarshal([]byte(document), message))
	}
	one, other := letter(program, plain), letter(program, message)
	if one != other {
		return strings.ToLower(one)
	}
	return one
}

func letter(program cel.Program, predicate any) string {
	value, _, err := program.Eval(map[string]any{"predicate": predicate})
	switch {
	case err != nil:
		return "E"
	case value == types.True:
		return "T"
	case value == types.False:
		return "F"
	default:
		return "O"
	}
}

func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "cel.dev/cel-go" {
			return module.Version
		}
	}
	return "unknown"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
