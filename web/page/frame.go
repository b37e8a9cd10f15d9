package page

import (
	"bytes"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// Link is an entry of a page's navigation.
type Link struct {
	Text sentence.Text
	// Path is of this server ("/account/devices").
	Path string
	// Here marks the page that is shown.
	Here bool
}

// Frame is a page without what is around it.
type Frame struct {
	Title sentence.Text
	// Nav is the page's navigation; none if it is empty.
	Nav []Link
	// Wide pages use more of a large screen, for tables.
	Wide bool
	// Index lets search engines show the page.
	Index bool
	// Template, made by Site.Parse, and Name say what is inside; it is executed with a View.
	Template *template.Template
	Name     string
	// Data is what View.Data will be.
	Data any
	// FormTargets are sources ("https://client.example", "com.example.app:") to which an answer to a
	// form of this page may redirect; the server itself always may be.
	FormTargets []string
}

// View is what a template is executed with.
type View struct {
	Frame
	// Site is the server's name.
	Site string
	// Session is who is signed in, or nil.
	Session *Session
	// CSRF is the hidden field that each form with method POST must have.
	CSRF template.HTML
	// Flash is a message of the page before, or nil.
	Flash *shownFlash
	// Content is the inside, for the layout alone.
	Content template.HTML
}

// Parse reads templates of pages. Beside the usual functions they have
//   - path: a path of this server as a browser must ask for it,
//   - asset: the path of a file of this package,
//   - t, th: a sentence (text, or a sentence.Text) in the reader's language, as text and as HTML of our own,
//   - lang: the tag of that language.
func (s *Site) Parse(fsys fs.FS, patterns ...string) (*template.Template, error) {
	return s.ParseWith(nil, fsys, patterns...)
}

// ParseWith is Parse with more functions.
func (s *Site) ParseWith(funcs template.FuncMap, fsys fs.FS, patterns ...string) (*template.Template, error) {
	return s.parse(nil, funcs, fsys, patterns...)
}

// ParseKeyed is ParseWith for templates that name their sentences by keys: keys has the English ones.
func (s *Site) ParseKeyed(keys map[string]string, funcs template.FuncMap, fsys fs.FS, patterns ...string) (*template.Template, error) {
	return s.parse(keys, funcs, fsys, patterns...)
}

// Show sends a page. Session is found by the request's cookie.
func (s *Site) Show(w http.ResponseWriter, r *http.Request, status int, f Frame) {
	session, err := s.Session(r)
	if err != nil {
		s.o.Log.ErrorContext(r.Context(), "finding the session of a browser", "err", err)
	}
	lang := s.languages.of(r)
	v := View{Frame: f, Site: s.o.Name, Session: session, CSRF: s.csrfField(w, r), Flash: s.takeFlash(w, r)}
	var inside, whole bytes.Buffer
	err = s.execute(&inside, f.Template, lang, f.Name, v)
	if err == nil {
		v.Content = template.HTML(inside.String()) // made by html/template
		err = s.execute(&whole, s.layout, lang, "layout", v)
	}
	if err != nil {
		s.o.Log.ErrorContext(r.Context(), "making a page", "page", f.Name, "err", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	s.Headers(w.Header(), f.FormTargets...)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(whole.Bytes()) // the browser may be gone
}

// Headers sets the headers that keep a page from being framed, sniffed, stored and made to run or
// load what is not the server's.
func (s *Site) Headers(h http.Header, formTargets ...string) {
	targets := slices.DeleteFunc(slices.Clone(formTargets), func(t string) bool {
		return t == "" || strings.ContainsFunc(t, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(";,'\"", c) })
	})
	form := strings.Join(append([]string{"'self'"}, targets...), " ")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"form-action "+form+"; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: forms would lose the Origin header, by which others' forms are refused.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	// Answers of the API may be read by pages of others; these may not.
	h.Del("Access-Control-Allow-Origin")
}
