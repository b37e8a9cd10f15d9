package client

import (
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/pushers"
)

// unsubscribeRoutes mounts the page to which the link in notifications by e-mail leads.
func (a *API) unsubscribeRoutes() {
	for method, h := range map[string]func(*call) error{http.MethodGet: a.unsubscribePage, http.MethodPost: a.unsubscribe} {
		a.router.add(method, pushers.UnsubscribePath, &route{pattern: pushers.UnsubscribePath, raw: h})
	}
}

// unsubscribePage asks first: programs that look through mail open its links.
func (a *API) unsubscribePage(c *call) error {
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return a.showError(c, err)
	}
	address, err := a.o.Pushers.Unsubscribe(c.ctx, c.query, true)
	if err != nil {
		return a.showError(c, err)
	}
	return c.show(http.StatusOK, webPage{Title: "No more e-mail", Text: []string{"Do you want no more e-mail to " + address + " about unread messages? Your client can switch it on again."},
		Form: &form{Button: "Yes, stop it"}})
}

// unsubscribe is that page's button, and also what mail programs ask for by themselves: RFC 8058, section 3.1: "The
// URI ... MUST ... include ... enough information to identify the mail recipient and the list", and no cookie, nor
// any other credentials.
func (a *API) unsubscribe(c *call) error {
	if err := a.limits.Load().strangers.Allow(c.limitKey()); err != nil {
		return a.showError(c, err)
	}
	address, err := a.o.Pushers.Unsubscribe(c.ctx, c.query, false)
	if err != nil {
		return a.showError(c, err)
	}
	return c.show(http.StatusOK, webPage{Title: "Done", Text: []string{address + " gets no more e-mail about unread messages."}})
}
