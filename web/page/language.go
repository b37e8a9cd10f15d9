package page

import (
	"cmp"
	"embed"
	"encoding/json/v2"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Pages are written in English. A file lang/TAG.json has their sentences in another language: an object in
// which each English sentence, as it stands in a template or in Go, is the key of its translation. What is
// not in it is shown in English.
//
//go:embed lang
var langFiles embed.FS

// languages are the catalogues, and what a browser's wishes are matched with.
type languages struct {
	tags    []language.Tag // the first is English
	match   language.Matcher
	catalog []map[string]string // of each tag; nil for English
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
	return l, nil
}

// of chooses the language of a request.
func (l *languages) of(r *http.Request) int {
	header := r.Header.Get("Accept-Language")
	if header == "" || len(header) > 1000 {
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

// text gives a sentence in a language, with what belongs in it.
func (l *languages) text(i int, s string, args ...any) string {
	if out := l.catalog[i][s]; out != "" {
		s = out
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// funcs are the functions of templates that depend on the language:
//   - t: a sentence, with what belongs in it;
//   - th: one with HTML of our own in it. What belongs in it is text.
func (l *languages) funcs(i int) template.FuncMap {
	return template.FuncMap{
		"t": func(s string, args ...any) string { return l.text(i, s, args...) },
		"th": func(s string, args ...any) template.HTML {
			for n, a := range args {
				switch a := a.(type) {
				case template.HTML:
					args[n] = string(a)
				case string:
					args[n] = template.HTMLEscapeString(a)
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
	for i, tag := range l.tags[1:] {
		out[tag.String()] = maps.Clone(l.catalog[i+1])
	}
	return out, nil
}

// translated are the templates of one ParseWith, by language.
type translated []*template.Template

// parse reads templates for each language. The first is what callers name them by. With keys, t takes the keys of
// English sentences in their place.
func (s *Site) parse(keys map[string]string, funcs template.FuncMap, fsys fs.FS, patterns ...string) (*template.Template, error) {
	var all translated
	for i := range s.languages.tags {
		t := template.New("").Funcs(template.FuncMap{"path": s.Path, "asset": s.assetPath}).Funcs(s.languages.funcs(i)).Funcs(funcs)
		if keys != nil {
			t.Funcs(template.FuncMap{"t": func(key string, args ...any) string { return s.languages.text(i, cmp.Or(keys[key], key), args...) }})
		}
		t, err := t.ParseFS(fsys, patterns...)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates[all[0]] = all
	return all[0], nil
}

// language is the one in which a page is shown for a request.
func (s *Site) language(t *template.Template, r *http.Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.templates[t] == nil {
		return 0
	}
	return s.languages.of(r)
}

// in gives a template in a language.
func (s *Site) in(t *template.Template, i int) *template.Template {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.templates[t]; all != nil {
		return all[i]
	}
	return t
}

// translate puts what Go code says on a page into a language.
func (s *Site) translate(f Frame, i int) Frame {
	f.Title = s.languages.text(i, f.Title)
	f.Nav = slices.Clone(f.Nav)
	for n := range f.Nav {
		f.Nav[n].Text = s.languages.text(i, f.Nav[n].Text)
	}
	return f
}
