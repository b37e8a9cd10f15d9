package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

// signInPath is the page where one signs in, and then goes on to another one.
func signInPath(to string) string {
	return Path + "/sign-in?" + url.Values{"to": {to}}.Encode()
}

type signInView struct {
	Name, To string
	Error    sentence.Text
}

func (c *Console) showSignIn(w http.ResponseWriter, r *http.Request) {
	c.signInPage(w, r, http.StatusOK, signInView{To: r.URL.Query().Get("to")})
}

func (c *Console) signInPage(w http.ResponseWriter, r *http.Request, status int, v signInView) {
	c.o.Site.Show(w, r, status, page.Frame{Title: say("Sign in as an administrator"), Template: c.tmpl, Name: "signin", Data: v})
}

// signIn checks who somebody is. That they are an administrator is checked with each page.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if err := c.o.Site.Form(w, r); err != nil {
		c.signInPage(w, r, http.StatusForbidden, signInView{Error: say("The form was too old; please try again.")})
		return
	}
	v := signInView{Name: strings.TrimSpace(r.PostForm.Get("name")), To: r.PostForm.Get("to")}
	user, err := c.o.Backend.SignIn(r, v.Name, r.PostForm.Get("password"))
	if err != nil {
		v.Error = sentence.Of(err)
		c.signInPage(w, r, http.StatusForbidden, v)
		return
	}
	if err := c.o.Site.SignIn(w, r, user); err != nil {
		c.o.Log.ErrorContext(r.Context(), "signing in to the console", "err", err)
		v.Error = say("Signing in failed; the log has the reason.")
		c.signInPage(w, r, http.StatusInternalServerError, v)
		return
	}
	to := v.To
	if !strings.HasPrefix(to, Path+"/") {
		to = Path + "/"
	}
	c.o.Site.Redirect(w, r, to)
}

func (c *Console) signOut(v *visit) error {
	if err := c.o.Site.SignOut(v.w, v.r); err != nil {
		return err
	}
	c.o.Site.Redirect(v.w, v.r, "/")
	return nil
}
