package page

import (
	"cmp"
	"embed"
	"encoding/json/v2"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strings"

	"golang.org/x/text/language"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// Pages are written in English. A file lang/TAG.json has their sentences in another language: an object in
// which each English sentence, as it stands in a template or in Go, is the key of its translation. What is
// not in it is shown in English.
//
//go:embed lang
var langFiles embed.FS

// Pseudo is the tag of a language that is none: each sentence is shown in brackets, so that what was forgotten
// can be seen. Browsers get it by asking for it alone.
const Pseudo = "en-XA"

// languages are the catalogues, and what a browser's wishes are matched with.
type languages struct {
	tags    []language.Tag // the first is English, the last Pseudo
	match   language.Matcher
	catalog []map[string]string // of each tag; nil for English and Pseudo
}

func loadLanguages(fsys fs.FS) (*languages, error) {
	l := &languages{tags: []language.Tag{language.English}, catalog: []map[string]string{nil}}
	names, err := fs.Glob(fsys, "lang/*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		tag, err := language.Parse(strings.TrimSuffix(path.Base(name), ".json"))
		if err != nil {
			return nil, fmt.Errorf("page: the name of %s: %w", name, err)
		}
		raw, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		var c map[string]string
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("page: %s: %w", name, err)
		}
		l.tags, l.catalog = append(l.tags, tag), append(l.catalog, c)
	}
	l.match = language.NewMatcher(l.tags)
	l.tags, l.catalog = append(l.tags, language.MustParse(Pseudo)), append(l.catalog, nil)
	return l, nil
}

// of chooses the language of a request.
func (l *languages) of(r *http.Request) int {
	header := r.Header.Get("Accept-Language")
	switch {
	case header == Pseudo:
		return len(l.tags) - 1
	case header == "" || len(header) > 1000:
		return 0
	}
	wished, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return 0
	}
	_, i, sure := l.match.Match(wished...)
	if sure == language.No {
		return 0
	}
	return i
}

// find gives the translation of an English sentence.
func (l *languages) find(i int, key string) string {
	if i > 0 && i == len(l.tags)-1 {
		return "\u27e6" + key + "\u27e7"
	}
	if out := l.catalog[i][key]; out != "" {
		return out
	}
	return key
}

// text gives what is said in a language: a sentence.Text, an error, or an English sentence with what belongs in it.
func (l *languages) text(i int, s any, args ...any) string {
	find := func(key string) string { return l.find(i, key) }
	switch s := s.(type) {
	case sentence.Text:
		return s.In(find)
	case error:
		return sentence.Of(s).In(find)
	case string:
		return sentence.Say(s, args...).In(find)
	}
	return sentence.Say(fmt.Sprint(s)).In(find)
}

// funcs are the functions of templates that depend on the language:
//   - t: a sentence, with what belongs in it;
//   - th: one with HTML of our own in it. What belongs in it is text.
func (l *languages) funcs(i int) template.FuncMap {
	return template.FuncMap{
		"t": func(s any, args ...any) string { return l.text(i, s, args...) },
		"th": func(s string, args ...any) template.HTML {
			for n, a := range args {
				switch a := a.(type) {
				case template.HTML:
					args[n] = string(a)
				case string:
					args[n] = template.HTMLEscapeString(a)
				case sentence.Text:
					args[n] = template.HTMLEscapeString(l.text(i, a))
				}
			}
			return template.HTML(l.text(i, s, args...)) // of templates and catalogues
		},
		"lang": func() string { return l.tags[i].String() },
	}
}

// Translations gives the catalogue of each language there is besides English, for tests.
func Translations() (map[string]map[string]string, error) {
	l, err := loadLanguages(langFiles)
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]string{}
	for i, tag := range l.tags[1 : len(l.tags)-1] {
		out[tag.String()] = maps.Clone(l.catalog[i+1])
	}
	return out, nil
}

// translated are the templates of one ParseWith, by language. Those of languages that nobody has asked for yet
// are nil.
type translated struct {
	list []*template.Template
	make func(language int) (*template.Template, error)
}

// parse reads templates for each language. The first is what callers name them by. With keys, t takes the keys of
// English sentences in their place.
func (s *Site) parse(keys map[string]string, funcs template.FuncMap, fsys fs.FS, patterns ...string) (*template.Template, error) {
	all := &translated{list: make([]*template.Template, len(s.languages.tags))}
	all.make = func(i int) (*template.Template, error) {
		t := template.New("").Funcs(template.FuncMap{"path": s.Path, "asset": s.assetPath}).Funcs(s.languages.funcs(i)).Funcs(funcs)
		if keys != nil {
			t.Funcs(template.FuncMap{"t": func(what any, args ...any) string {
				if key, ok := what.(string); ok {
					what = cmp.Or(keys[key], key)
				}
				return s.languages.text(i, what, args...)
			}})
		}
		return t.ParseFS(fsys, patterns...)
	}
	english, err := all.make(0)
	if err != nil {
		return nil, err
	}
	all.list[0] = english
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates[english] = all
	return english, nil
}

// in gives a template in a language.
func (s *Site) in(t *template.Template, i int) (*template.Template, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.templates[t]
	if all == nil {
		return t, nil
	}
	if all.list[i] == nil {
		var err error
		if all.list[i], err = all.make(i); err != nil {
			return nil, err
		}
	}
	return all.list[i], nil
}

// execute runs a template in a language.
func (s *Site) execute(w io.Writer, t *template.Template, language int, name string, v View) error {
	t, err := s.in(t, language)
	if err != nil {
		return err
	}
	return t.ExecuteTemplate(w, name, v)
}

// In gives a sentence in the language of who asks.
func (s *Site) In(r *http.Request, t sentence.Text) string {
	return s.languages.text(s.languages.of(r), t)
}
