package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// pageSize is how many entries a page of a list has.
const pageSize = 50

// Next is the link to the rest of a list; "" at its end.
type listView[T any] struct {
	Search string
	All    bool
	List   []T
	Next   string
	Total  int64
}

// link makes the address of the rest of a list.
func link(path string, search string, all bool, key, value string) string {
	q := url.Values{key: {value}}
	if search != "" {
		q.Set("q", search)
	}
	if all {
		q.Set("all", "yes")
	}
	return Path + path + "?" + q.Encode()
}

// number reads a parameter of the address; 0 if it is none.
func (v *visit) number(name string) int64 {
	n, err := strconv.ParseInt(v.r.URL.Query().Get(name), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

type userRow struct {
	store.ListedAccount
	Name  string
	Marks []sentence.Text
}

func row(a store.ListedAccount) userRow {
	out := userRow{ListedAccount: a, Name: text(a.DisplayName)}
	for _, m := range []struct {
		name sentence.Text
		on   bool
	}{{say("administrator"), a.Admin}, {say("suspended"), a.Suspended}, {say("locked"), a.Locked}, {say("shadow-banned"), a.Shadow}, {say("closed"), a.DeactivatedTS != 0}, {say("guest"), a.Kind == "guest"},
		{say("of %s", a.Service), a.Service != ""}} {
		if m.on {
			out.Marks = append(out.Marks, m.name)
		}
	}
	return out
}

func (c *Console) users(v *visit) error {
	q := v.r.URL.Query()
	out := listView[userRow]{Search: strings.TrimSpace(q.Get("q")), All: q.Get("all") == "yes"}
	totals, err := c.totals.get(func() (store.Totals, error) { return c.o.Store.Totals(v.ctx) })
	if err != nil {
		return err
	}
	out.Total = totals.People
	var list []store.ListedAccount
	if out.Search != "" {
		prefix := out.Search
		if prefix[0] != '@' {
			prefix = "@" + prefix
		}
		list, err = c.o.Store.AccountsNamed(v.ctx, prefix, q.Get("after"), pageSize+1)
	} else {
		list, err = c.o.Store.NewestAccounts(v.ctx, v.number("before"), out.All, pageSize+1)
	}
	if err != nil {
		return err
	}
	if len(list) > pageSize {
		list = list[:pageSize]
		last := list[pageSize-1]
		if out.Search != "" {
			out.Next = link("/users", out.Search, out.All, "after", last.ID)
		} else {
			out.Next = link("/users", "", out.All, "before", strconv.FormatInt(last.User, 10))
		}
	}
	for _, a := range list {
		out.List = append(out.List, row(a))
	}
	return v.show("/users", say("Users"), "users", out)
}

type userView struct {
	userRow
	Devices    []store.Device
	Addresses  []string
	Rooms      int
	Files      int64
	Bytes      int64
	Media      []store.Media
	NextMedia  string // where the rest of the files is
	Self       bool
	RoomsShown []roomLink
}

type roomLink struct{ ID, Name string }

// userRoomsShown is how many of a user's rooms are named.
const userRoomsShown = 30

func (c *Console) user(v *visit) error {
	id := v.r.URL.Query().Get("id")
	nid, err := c.o.Store.UserNID(v.ctx, id)
	if err != nil {
		return err
	}
	account, err := c.o.Store.Account(v.ctx, nid)
	if err != nil {
		return err
	}
	out := userView{Self: nid == v.who.User}
	out.userRow = row(store.ListedAccount{User: nid, ID: id, Kind: account.Kind, Service: account.Service, Admin: account.Admin, Locked: account.Locked, Suspended: account.Suspended,
		Shadow: account.ShadowBanned, CreatedTS: account.CreatedTS, DeactivatedTS: account.DeactivatedTS})
	profile, err := c.o.Store.Profile(v.ctx, nid)
	if err != nil {
		return err
	}
	for _, f := range profile {
		if f.Name == "displayname" {
			out.Name = text(f.Value)
		}
	}
	if out.Devices, err = c.o.Store.DevicesOf(v.ctx, nid); err != nil {
		return err
	}
	addresses, err := c.o.Store.ThreePIDsOf(v.ctx, nid)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		out.Addresses = append(out.Addresses, a.Address)
	}
	if out.Bytes, out.Files, err = c.o.Store.MediaUsage(v.ctx, nid, 0); err != nil {
		return err
	}
	q := v.r.URL.Query()
	if out.Media, err = c.o.Store.MediaOf(v.ctx, nid, v.number("files"), q.Get("file"), pageSize+1); err != nil {
		return err
	}
	if len(out.Media) > pageSize {
		out.Media = out.Media[:pageSize]
		last := out.Media[pageSize-1]
		out.NextMedia = Path + "/users/show?" + url.Values{"id": {id}, "files": {strconv.FormatInt(last.CreatedTS, 10)}, "file": {last.ID}}.Encode() + "#files"
	}
	rooms, err := c.o.Store.RoomsOf(v.ctx, nid)
	if err != nil {
		return err
	}
	for _, m := range rooms {
		if m.Membership != "join" {
			continue
		}
		if out.Rooms++; out.Rooms <= userRoomsShown {
			r, err := c.roomRow(v.ctx, m.Room)
			if err != nil {
				return err
			}
			out.RoomsShown = append(out.RoomsShown, roomLink{r.ID, r.Title()})
		}
	}
	return v.show("/users", sentence.Data(id), "user", out)
}

// userActions are what can be done to an account: the request to the administrators' API, and what is
// asked before.
var userActions = map[string]struct {
	method, path string // %s is the user id
	body         map[string]any
	sure, said   string
}{
	"suspend":    {http.MethodPut, "/v1/suspend/%s", map[string]any{"suspend": true}, "", "The account can look, but not act."},
	"unsuspend":  {http.MethodPut, "/v1/suspend/%s", map[string]any{"suspend": false}, "", "The account can act again."},
	"lock":       {http.MethodPut, "/v2/users/%s", map[string]any{"locked": true}, "", "The account is locked."},
	"unlock":     {http.MethodPut, "/v2/users/%s", map[string]any{"locked": false}, "", "The account is open again."},
	"admin":      {http.MethodPut, "/v1/users/%s/admin", map[string]any{"admin": true}, "They will be able to do everything that you can do here.", "They are an administrator now."},
	"unadmin":    {http.MethodPut, "/v1/users/%s/admin", map[string]any{"admin": false}, "They will not come into these pages any more.", "They are no administrator any more."},
	"deactivate": {http.MethodPost, "/v1/deactivate/%s", map[string]any{"erase": false}, "The account is closed for good, and leaves all its rooms. What it said stays.", "The account is closed."},
	"erase":      {http.MethodPost, "/v1/deactivate/%s", map[string]any{"erase": true}, "The account is closed for good, leaves all its rooms, and what it said is hidden from those who come later.", "The account is closed and erased."},
	"redact":     {http.MethodPost, "/v1/user/%s/redact", map[string]any{"rooms": []string{}}, "Everything that they said in rooms of this server is removed for good.", "What they said is being removed."},
	"quarantine": {http.MethodPost, "/v1/user/%s/media/quarantine", map[string]any{}, "Nobody will be able to see the files that they sent.", "Their files are in quarantine."},
}

func (c *Console) userDo(v *visit) error {
	f := v.r.PostForm
	id, what := f.Get("id"), f.Get("do")
	back := Path + "/users/show?" + url.Values{"id": {id}}.Encode()
	if what == "password" {
		if !v.sure(question{Text: say("%s: the old password is good no more, and all devices are logged out.", id), Yes: say("Set the new password"), Back: back}) {
			return nil
		}
		password := f.Get("password")
		return v.act("set the password of", id, "", back, say("The password is changed, and all devices are logged out."), func() error {
			return v.api(http.MethodPost, "/v1/reset_password/"+url.PathEscape(id), map[string]any{"new_password": password, "logout_devices": true}, nil)
		})
	}
	if what == "device" {
		device := f.Get("device")
		if !v.sure(question{Text: say("%s: the device %s is signed out, and loses its encryption keys.", id, device), Yes: say("Sign it out"), Back: back}) {
			return nil
		}
		return v.act("sign out a device of", id, device, back, say("The device is signed out."), func() error {
			return v.api(http.MethodDelete, "/v2/users/"+url.PathEscape(id)+"/devices/"+url.PathEscape(device), nil, nil)
		})
	}
	a, ok := userActions[what]
	if !ok {
		return problemf("There is no action %q.", what)
	}
	if id == v.who.UserID && what != "quarantine" {
		return problemf("That would shut you out of this console. Let another administrator do it.")
	}
	if a.sure != "" && !v.sure(question{Text: say("%s: %s", id, say(a.sure)), Yes: say("Yes, do it"), Back: back}) {
		return nil
	}
	return v.act(what, id, "", back, say(a.said), func() error {
		return v.api(a.method, strings.Replace(a.path, "%s", url.PathEscape(id), 1), a.body, nil)
	})
}

// userCreate makes an account.
func (c *Console) userCreate(v *visit) error {
	f := v.r.PostForm
	name := strings.ToLower(strings.TrimSpace(f.Get("name")))
	if name == "" || strings.ContainsAny(name, "@: ") {
		return problemf("Write the name alone, such as anna.")
	}
	id := "@" + name + ":" + c.o.Server
	// The API would change an account that is there.
	if nid, err := c.o.Store.UserNID(v.ctx, id); err == nil {
		if _, err := c.o.Store.Account(v.ctx, nid); err == nil {
			return problemf("There is an account %s already.", id)
		}
	}
	body := map[string]any{"password": f.Get("password"), "admin": f.Get("admin") == "yes"}
	if s := strings.TrimSpace(f.Get("displayname")); s != "" {
		body["displayname"] = s
	}
	return v.act("create", id, "", Path+"/users/show?"+url.Values{"id": {id}}.Encode(), say("The account is made."), func() error {
		err := v.api(http.MethodPut, "/v2/users/"+url.PathEscape(id), body, nil)
		if err != nil {
			v.to = Path + "/users" // there is no page of it
		}
		return err
	})
}

// api calls the administrators' API.
func (v *visit) api(method, path string, body, out any) error {
	return v.c.o.Backend.Admin(context.WithoutCancel(v.ctx), v.who, method, path, body, out)
}
