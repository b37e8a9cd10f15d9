package claims

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/page"
)

//go:embed pages
var pageFiles embed.FS

// PathClaim is the page on which people type a code, and look after whom they are linked to; it begins those of
// offers.
const PathClaim = "/claim"

// Serves tells whether a path is one of the pages.
func (c *Claims) Serves(path string) bool {
	return path == PathClaim || strings.HasPrefix(path, PathClaim+"/")
}

// ServeHTTP serves the paths for which Serves is true.
func (c *Claims) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

var _ http.Handler = (*Claims)(nil)

func (c *Claims) openPages() (err error) {
	if c.tmpl, err = c.o.Pages.Parse(pageFiles, "pages/*.html"); err != nil {
		return err
	}
	c.mux = http.NewServeMux()
	on := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				c.showError(w, r, err)
			}
		})
	}
	on("GET "+PathClaim, c.homePage)
	on("POST "+PathClaim, c.codePage)
	on("POST "+PathClaim+"/ask", c.askPage)
	on("POST "+PathClaim+"/unlink", c.unlinkPage)
	on("GET "+PathClaim+"/{service}/enter", c.enterPage)
	on("GET "+PathClaim+"/{service}/back", c.backPage)
	on("GET "+PathClaim+"/{token}", c.offerPage)
	on("POST "+PathClaim+"/{token}", c.acceptPage)
	on("GET "+PathClaim+"/{token}/stop", c.stopPage)
	on("POST "+PathClaim+"/{token}/stop", c.stop)
	c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.showError(w, r, mxerror.NotFound("There is no such page."))
	})
	return nil
}

func (c *Claims) show(w http.ResponseWriter, r *http.Request, status int, name string, title sentence.Text, data any) {
	c.o.Pages.Show(w, r, status, page.Frame{Title: title, Template: c.tmpl, Name: name, Data: data})
}

// showError tells a person what went wrong. What is not meant for the public goes to the log; the address of the
// page, which is a secret, goes nowhere.
func (c *Claims) showError(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusInternalServerError, sentence.Say("The server could not do this. Please try again later.")
	switch m, ok := mxerror.As(err); {
	case errors.Is(err, page.ErrForeignForm):
		status, text = http.StatusForbidden, sentence.Say("The form is too old, or comes from another page. Please go back and try again.")
	case errors.Is(err, ErrBadCode):
		status, text = http.StatusNotFound, sentence.Say("This invitation is not valid: it has been used, or it is too old. Ask the bot for a new one by writing “link” to it.")
	case errors.Is(err, ErrLinked):
		status, text = http.StatusConflict, sentence.Say("This person has an account here already.")
	case errors.Is(err, ErrNoBridge):
		status, text = http.StatusNotFound, sentence.Say("This network is not connected any more.")
	case ok && m.Status < 500:
		status, text = m.Status, m.Said()
	default:
		c.o.Log.ErrorContext(r.Context(), "a page of claims failed", "method", r.Method, "err", err)
	}
	c.show(w, r, status, "claimerror", sentence.Say("That did not work"), text)
}

// Linked is one who somebody is on a network.
type Linked struct {
	Service, Person, Network, Name string
	SinceTS                        int64
	Moving                         bool
	Rooms                          int64
	Notes                          []string
}

// networkOf is a bridge in the list of those that codes are given for.
type networkOf struct{ Service, Name string }

// homeData is what the page shows that is no offer's.
type homeData struct {
	Session   *page.Session
	SignIn    string
	Linked    []Linked
	Networks  []networkOf
	SignIns   []signInOf
	Code      string // as it was typed
	Complaint sentence.Text
	Moving    bool
}

// networks are the bridges that have accounts to link with.
func (c *Claims) networks() (out []networkOf) {
	b := c.bridges.Load()
	if b == nil {
		return nil
	}
	for _, service := range (*b).List() {
		if name, ok := (*b).Network(service); ok {
			out = append(out, networkOf{service, name})
		}
	}
	return out
}

// nameOf is what a person is called: as their ghost is, or else as the network says in an offer.
func (c *Claims) nameOf(ctx context.Context, service, person, known string) string {
	if ghost, err := c.ghost(ctx, service, person); err == nil && ghost != 0 {
		if _, name, err := c.o.Store.Person(ctx, ghost); err == nil && name != "" {
			return name
		}
	}
	if known != "" {
		return known
	}
	return person
}

func (c *Claims) homeData(r *http.Request) (d homeData, err error) {
	if d.Session, err = c.o.Pages.Session(r); err != nil {
		return d, err
	}
	if c.o.SignIn != nil {
		d.SignIn = c.o.SignIn(PathClaim)
	}
	d.Networks = c.networks()
	if d.Session == nil {
		d.SignIns = c.signIns(d.Networks)
		return d, nil
	}
	if d.Linked, err = c.LinkedTo(r.Context(), d.Session.User); err != nil {
		return d, err
	}
	d.Moving = slices.ContainsFunc(d.Linked, func(l Linked) bool { return l.Moving })
	// Who is linked to somebody of a network is asked to link with the others.
	d.Networks = slices.DeleteFunc(d.Networks, func(n networkOf) bool {
		return slices.ContainsFunc(d.Linked, func(l Linked) bool { return l.Service == n.Service })
	})
	d.SignIns = c.signIns(d.Networks)
	return d, nil
}

// LinkedTo lists who a user is on networks, oldest first.
func (c *Claims) LinkedTo(ctx context.Context, user int64) (out []Linked, err error) {
	ties, err := c.o.Store.TiesOf(ctx, user)
	for _, t := range ties {
		l := Linked{Service: t.Service, Person: t.Person, Network: t.Service, SinceTS: t.SinceTS, Moving: t.Moving, Rooms: t.Rooms}
		if _, name, err := c.bridge(ctx, t.Service); err == nil {
			l.Network = name
		}
		l.Name = c.nameOf(ctx, t.Service, t.Person, "")
		if t.Notes != "" {
			l.Notes = strings.Split(t.Notes, "\n")
		}
		out = append(out, l)
	}
	return out, err
}

// Bridged tells whether there is a network whose people can be linked.
func (c *Claims) Bridged() bool { return len(c.networks()) > 0 }

func (c *Claims) homePage(w http.ResponseWriter, r *http.Request) error {
	d, err := c.homeData(r)
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "claimhome", sentence.Say("Who you are on other networks"), d)
	return nil
}

// codePage takes a code of an offer that was typed, and leads to the offer.
func (c *Claims) codePage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Pages.Form(w, r); err != nil {
		return err
	}
	if err := c.o.Stranger(r); err != nil {
		return err
	}
	typed := r.PostForm.Get("code")
	offer, err := c.offeredCode(r.Context(), typed)
	if errors.Is(err, ErrBadCode) {
		d, err := c.homeData(r)
		if err != nil {
			return err
		}
		d.Code, d.Complaint = typed[:min(len(typed), 64)], sentence.Say("This code is not valid: it is mistyped, used or too old.")
		c.show(w, r, http.StatusNotFound, "claimhome", sentence.Say("Who you are on other networks"), d)
		return nil
	} else if err != nil {
		return err
	}
	c.o.Pages.Redirect(w, r, PathClaim+"/"+c.token(offer))
	return nil
}

// offerData is what the page of an offer shows.
type offerData struct {
	Session         *page.Session
	Token           string
	Name, Network   string
	SignIn, SignUp  string
	Other           string // where to sign in as somebody else
	Until           sentence.Text
	NoPages, Linked bool
}

func (c *Claims) offerData(r *http.Request, offer store.ClaimPerson) (d offerData, err error) {
	_, network, err := c.bridge(r.Context(), offer.Service)
	if err != nil {
		return d, err
	}
	d = offerData{Token: c.token(offer), Network: network, Name: c.nameOf(r.Context(), offer.Service, offer.Person, offer.Name),
		Until: sentence.Date(time.UnixMilli(offer.ExpiresTS).UTC()), NoPages: c.o.SignIn == nil}
	here := PathClaim + "/" + d.Token
	if !d.NoPages {
		d.SignIn, d.SignUp = c.o.SignIn(here), c.o.SignUp(here, userName(d.Name))
	}
	d.Session, err = c.o.Pages.Session(r)
	return d, err
}

// userName proposes a name for an account.
func userName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		case r == ' ':
			return '.'
		}
		return -1
	}, name)
	return strings.Trim(name[:min(len(name), 40)], "._-")
}

// offerPage shows an offer. It changes nothing: programs that look through messages open addresses too.
func (c *Claims) offerPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Stranger(r); err != nil {
		return err
	}
	offer, err := c.offered(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	d, err := c.offerData(r, offer)
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "claimoffer", sentence.Say("Welcome, %s", d.Name), d)
	return nil
}

// acceptPage ties the person to who is signed in.
func (c *Claims) acceptPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Pages.Form(w, r); err != nil {
		return err
	}
	s, err := c.o.Pages.Session(r)
	if err != nil {
		return err
	}
	token := r.PathValue("token")
	if s == nil {
		c.o.Pages.Redirect(w, r, PathClaim+"/"+url.PathEscape(token))
		return nil
	}
	// The form names the account that it was shown for: somebody else may have signed in since.
	if r.PostForm.Get("account") != s.UserID {
		return page.ErrForeignForm
	}
	p, err := c.Claim(r.Context(), token, s.User)
	if err != nil {
		return err
	}
	_, network, err := c.bridge(r.Context(), p.Service)
	if err != nil {
		return err
	}
	c.o.Pages.SetFlash(w, r, page.Flash{Text: sentence.Say("You are linked: what you say on %s from now on is said here by %s.", network, s.UserID)})
	c.o.Pages.Redirect(w, r, PathClaim)
	return nil
}

// askPage gives a code for the bot.
func (c *Claims) askPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Pages.Form(w, r); err != nil {
		return err
	}
	s, err := c.o.Pages.Session(r)
	if err != nil {
		return err
	}
	if s == nil {
		c.o.Pages.Redirect(w, r, PathClaim)
		return nil
	}
	service := r.PostForm.Get("service")
	_, network, err := c.bridge(r.Context(), service)
	if err != nil {
		return err
	}
	code, err := c.Ask(r.Context(), service, s.UserID)
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "claimask", sentence.Say("Tell the bot who you are"), struct{ Network, Code, Account string }{network, code, s.UserID})
	return nil
}

func (c *Claims) unlinkPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Pages.Form(w, r); err != nil {
		return err
	}
	s, err := c.o.Pages.Session(r)
	if err != nil {
		return err
	}
	service, person := r.PostForm.Get("service"), r.PostForm.Get("person")
	if s == nil {
		c.o.Pages.Redirect(w, r, PathClaim)
		return nil
	}
	tie, err := c.o.Store.Tie(r.Context(), service, person)
	if errors.Is(err, store.ErrNotFound) || err == nil && tie.User != s.User {
		return mxerror.NotFound("You are not linked to this person.")
	} else if err != nil {
		return err
	}
	if err := c.Unlink(r.Context(), service, person); err != nil {
		return err
	}
	c.o.Pages.SetFlash(w, r, page.Flash{Text: sentence.Say("The link is gone. You stay in the rooms; what is said on the network is shown as said there.")})
	c.o.Pages.Redirect(w, r, PathClaim)
	return nil
}

// stopPage asks whether no more messages are wanted.
func (c *Claims) stopPage(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Stranger(r); err != nil {
		return err
	}
	offer, err := c.offered(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	d, err := c.offerData(r, offer)
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "claimstop", sentence.Say("No more messages"), d)
	return nil
}

func (c *Claims) stop(w http.ResponseWriter, r *http.Request) error {
	if err := c.o.Pages.Form(w, r); err != nil {
		return err
	}
	h := hash(r.PathValue("token"))
	err := c.o.Store.Write(r.Context(), func(t *store.Tx) error {
		p, err := t.ClaimPersonByURL(h)
		if errors.Is(err, store.ErrNotFound) {
			return store.Refuse(ErrBadCode)
		} else if err != nil {
			return err
		}
		p.StoppedTS, p.NextTS = c.nowMS(), 0
		return t.SetClaimPerson(p)
	})
	if err != nil {
		return err
	}
	c.show(w, r, http.StatusOK, "claimstopped", sentence.Say("No more messages"), nil)
	return nil
}
