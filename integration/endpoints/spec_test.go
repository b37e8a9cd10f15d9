package endpoints

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

const specDir = "testdata/spec"

// operation is one line of endpoints.tsv with what its OpenAPI file says of it.
type operation struct {
	Method, Path, ID string
	// Token says that a request without an access token is to be refused.
	Token bool
	// JSON says that there is a body of JSON.
	JSON bool
	// Answers are the schemas of the JSON answers, by status. Where the answer is something else
	// than JSON, there is none.
	Answers map[int]*jsonschema.Schema
}

// yamlLoader reads YAML files as the documents that schemas refer to.
type yamlLoader struct{}

var _ jsonschema.URLLoader = yamlLoader{}

func (yamlLoader) Load(url string) (any, error) {
	name, err := jsonschema.FileLoader{}.ToFile(url)
	if err != nil {
		return nil, err
	}
	return readYAML(name)
}

// readYAML reads a file into what encoding/json would make of it.
func readYAML(name string) (any, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var v any
	if err := yaml.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if raw, err = json.Marshal(textKeys(v)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(raw))
}

// textKeys makes strings of the keys that YAML takes for numbers, such as versions.
func textKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		out := map[string]any{}
		for k, w := range v {
			out[fmt.Sprint(k)] = textKeys(w)
		}
		return out
	case map[string]any:
		for k, w := range v {
			v[k] = textKeys(w)
		}
	case []any:
		for i, w := range v {
			v[i] = textKeys(w)
		}
	}
	return v
}

// loadSpec reads endpoints.tsv and the files that it names.
func loadSpec() ([]operation, error) {
	raw, err := os.ReadFile(filepath.Join(specDir, "endpoints.tsv"))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(yamlLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	for name, check := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: check})
	}
	c.AssertFormat()
	var out []operation
	for i, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		f := strings.Split(line, "\t")
		if i == 0 || f[0] != "client-server" {
			continue
		}
		if len(f) != 7 {
			return nil, fmt.Errorf("endpoints.tsv:%d: %d columns", i+1, len(f))
		}
		op := operation{Method: f[1], Path: f[2], ID: f[4]}
		if err := op.read(c, filepath.Join(specDir, "api", "client-server", f[6])); err != nil {
			return nil, fmt.Errorf("%s (%s): %w", op.ID, f[6], err)
		}
		out = append(out, op)
	}
	return out, nil
}

// read takes in what the OpenAPI file says.
func (op *operation) read(c *jsonschema.Compiler, file string) error {
	doc, err := readYAML(file)
	if err != nil {
		return err
	}
	paths, _ := member(doc, "paths").(map[string]any)
	method := strings.ToLower(op.Method)
	for path, item := range paths {
		def := member(item, method)
		if member(def, "operationId") != op.ID || !strings.HasSuffix(op.Path, strings.TrimSpace(path)) {
			continue
		}
		op.Token = needsToken(def)
		op.JSON = resolved(doc, def, "requestBody", "content", "application/json") != nil
		op.Answers = map[int]*jsonschema.Schema{}
		responses, _ := member(def, "responses").(map[string]any)
		for code := range responses {
			var status int
			if _, err := fmt.Sscanf(code, "%dXX", &status); err == nil && strings.HasSuffix(code, "XX") {
				status *= 100
			} else if _, err := fmt.Sscanf(code, "%d", &status); err != nil {
				return fmt.Errorf("response %q", code)
			}
			at, ok := pointer(doc, "", "paths", path, method, "responses", code, "content", "application/json", "schema")
			if !ok {
				continue
			}
			abs, err := filepath.Abs(file)
			if err != nil {
				return err
			}
			if op.Answers[status], err = c.Compile("file://" + abs + "#" + at); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("the file has no such operation")
}

// needsToken tells whether a request must have a token: security is a list of alternatives, of
// which {} is none.
func needsToken(def any) bool {
	l, _ := member(def, "security").([]any)
	for _, alternative := range l {
		if m, _ := alternative.(map[string]any); len(m) == 0 || m["signedRequest"] != nil {
			return false
		}
	}
	return len(l) > 0
}

func member(v any, name string) any {
	m, _ := v.(map[string]any)
	return m[name]
}

// resolved walks down members, following references within the document.
func resolved(doc, v any, names ...string) any {
	for _, n := range names {
		v = member(v, n)
		if ref, ok := member(v, "$ref").(string); ok && strings.HasPrefix(ref, "#/") {
			v = resolved(doc, doc, strings.Split(ref[2:], "/")...)
		}
	}
	return v
}

// pointer is the JSON pointer of the value that resolved finds.
func pointer(doc any, base string, names ...string) (at string, ok bool) {
	v := resolved(doc, doc, split(base)...)
	at = base
	for _, n := range names {
		if v = member(v, n); v == nil {
			return "", false
		}
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n)
		if ref, ok := member(v, "$ref").(string); ok && strings.HasPrefix(ref, "#/") {
			at = ref[1:]
			v = resolved(doc, doc, split(at)...)
		}
	}
	return at, true
}

func split(pointer string) []string {
	if pointer == "" {
		return nil
	}
	return strings.Split(pointer[1:], "/")
}

// formats are the specification's own, as far as a prefix tells.
var formats = map[string]func(any) error{
	"mx-user-id":    sigil("@", true),
	"mx-room-id":    sigil("!", false),
	"mx-event-id":   sigil("$", false),
	"mx-room-alias": sigil("#", true),
	"mx-mxc-uri":    sigil("mxc://", false),
}

func sigil(prefix string, server bool) func(any) error {
	return func(v any) error {
		s, ok := v.(string)
		if !ok || s == "" {
			return nil // which type it has, and whether it may be empty, the schema says
		}
		if !strings.HasPrefix(s, prefix) || server && !strings.Contains(s, ":") {
			return fmt.Errorf("%q does not look like it", s)
		}
		return nil
	}
}

// answer checks an answer with the schema of its status.
func (op *operation) answer(status int, raw []byte) error {
	schema := op.Answers[status]
	if schema == nil {
		schema = op.Answers[status/100]
	}
	if schema == nil {
		if status != http.StatusOK && status < 300 {
			return fmt.Errorf("the specification knows no answer %d with JSON", status)
		}
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	return schema.Validate(v)
}
