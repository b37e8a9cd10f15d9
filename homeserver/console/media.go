package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// maxFaults is how many faults of files one answer names.
const maxFaults = 1000

// Media is a piece of media as commands see it.
type Media struct {
	URI         string `json:"uri"`
	Type        string `json:"type"`
	Name        string `json:"name,omitempty"`
	Size        int64  `json:"size"`
	Owner       string `json:"owner,omitempty"`
	CreatedTS   int64  `json:"created_ts"`
	AccessTS    int64  `json:"access_ts,omitempty"`
	Cached      bool   `json:"cached,omitempty"`
	Quarantined bool   `json:"quarantined,omitempty"`
	Protected   bool   `json:"protected,omitempty"`
	// Empty media is announced, and its bytes have not come.
	Empty bool `json:"empty,omitempty"`
}

// MediaOf asks for what a user has uploaded, behind a piece of it.
type MediaOf struct {
	Name  string `json:"name"`
	After Media  `json:"after,omitzero"`
}

// MediaPage is a part of a user's media, the oldest first. More tells that it goes on.
type MediaPage struct {
	Media []Media `json:"media"`
	More  bool    `json:"more"`
}

// MediaOrder is a command about media: Name is an mxc URI, a user, or a room.
type MediaOrder struct {
	Name string `json:"name"`
	// Undo takes it back.
	Undo bool `json:"undo,omitempty"`
	// BeforeTS, in milliseconds, leaves alone what is younger; 0 is all of it.
	BeforeTS int64 `json:"before_ts,omitempty"`
}

// MediaTally is what a command about media touched.
type MediaTally struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// VerifyMedia asks for all files to be read. Remove removes those that nothing speaks of.
type VerifyMedia struct {
	Remove bool `json:"remove,omitempty"`
}

// MediaFault is a file that is not as it should be.
type MediaFault struct {
	SHA256 string `json:"sha256"`
	Fault  string `json:"fault"`
}

// MediaReport is what was found: the first faults, and how many there are of each kind.
type MediaReport struct {
	Files  int            `json:"files"`
	Faults []MediaFault   `json:"faults"`
	Counts map[string]int `json:"counts"`
}

func (c *console) mediaCommands(mux *http.ServeMux) {
	serve(mux, c, "/media/show", c.showMedia)
	serve(mux, c, "/media/list", c.listMedia)
	about := func(q MediaOrder) string { return q.Name }
	changing(mux, c, "/media/quarantine", about, c.quarantineMedia)
	changing(mux, c, "/media/protect", about, c.protectMedia)
	changing(mux, c, "/media/delete", about, c.deleteMedia)
	changing(mux, c, "/media/purge", about, c.purgeMedia)
	serve(mux, c, "/media/verify", c.verifyMedia)
}

// mediaName reads an mxc URI.
func mediaName(uri string) (store.MediaName, bool) {
	rest, ok := strings.CutPrefix(uri, "mxc://")
	origin, id, ok2 := strings.Cut(rest, "/")
	return store.MediaName{Origin: origin, ID: id}, ok && ok2 && origin != "" && id != "" && !strings.Contains(id, "/")
}

func noMediaName(s string) error {
	return mxerror.InvalidParam("%q is no mxc URI: mxc://server/id", s)
}

func (c *console) mediaOut(ctx context.Context, m store.Media) (out Media, err error) {
	out = Media{URI: media.URI(m.Origin, m.ID), Type: m.Type, Name: m.Name, Size: m.Size, CreatedTS: m.CreatedTS, AccessTS: m.AccessTS, Cached: m.Cached,
		Quarantined: m.Quarantined || m.Blocked, Protected: m.Protected, Empty: len(m.Hash) == 0}
	if m.Owner != 0 {
		out.Owner, err = c.o.Store.UserID(ctx, m.Owner)
	}
	return out, err
}

func (c *console) showMedia(ctx context.Context, q Named) (Media, error) {
	name, ok := mediaName(q.Name)
	if !ok {
		return Media{}, noMediaName(q.Name)
	}
	m, err := c.o.Media.Info(ctx, name)
	if err != nil {
		return Media{}, err
	}
	return c.mediaOut(ctx, m)
}

func (c *console) listMedia(ctx context.Context, q MediaOf) (out MediaPage, err error) {
	_, account, err := c.find(ctx, q.Name)
	if err != nil {
		return out, err
	}
	after := store.Media{CreatedTS: q.After.CreatedTS}
	if q.After.URI != "" {
		name, ok := mediaName(q.After.URI)
		if !ok {
			return out, noMediaName(q.After.URI)
		}
		after.ID = name.ID
	}
	const page = 500
	list, err := c.o.Media.ListByUser(ctx, account.User, after, page)
	if err != nil {
		return out, err
	}
	out.Media, out.More = make([]Media, len(list)), len(list) == page
	for i, m := range list {
		if out.Media[i], err = c.mediaOut(ctx, m); err != nil {
			return out, err
		}
	}
	return out, nil
}

// quarantineMedia keeps media from being served: a piece, all of a user, or all that a room's events speak of.
func (c *console) quarantineMedia(ctx context.Context, q MediaOrder) (MediaTally, error) {
	switch {
	case strings.HasPrefix(q.Name, "mxc://"):
		name, ok := mediaName(q.Name)
		if !ok {
			return MediaTally{}, noMediaName(q.Name)
		}
		if err := c.o.Media.Quarantine(ctx, name, !q.Undo); err != nil {
			return MediaTally{}, err
		}
		m, err := c.o.Media.Info(ctx, name)
		return MediaTally{1, m.Size}, err
	case q.Undo:
		return MediaTally{}, mxerror.InvalidParam("A quarantine is taken back for one piece of media at a time: name its mxc URI.")
	case strings.HasPrefix(q.Name, "!") || strings.HasPrefix(q.Name, "#"):
		room, err := c.roomNID(ctx, q.Name)
		if err != nil {
			return MediaTally{}, err
		}
		t, err := c.o.Media.QuarantineByRoom(ctx, room)
		return MediaTally(t), err
	}
	_, account, err := c.find(ctx, q.Name)
	if err != nil {
		return MediaTally{}, err
	}
	t, err := c.o.Media.QuarantineByUser(ctx, account.User)
	return MediaTally(t), err
}

// protectMedia keeps a piece of media from policies and from quarantines of many.
func (c *console) protectMedia(ctx context.Context, q MediaOrder) (Media, error) {
	name, ok := mediaName(q.Name)
	if !ok {
		return Media{}, noMediaName(q.Name)
	}
	if err := c.o.Media.Protect(ctx, name, !q.Undo); err != nil {
		return Media{}, err
	}
	return c.showMedia(ctx, Named{q.Name})
}

// deleteMedia deletes a piece of media, or what a user has uploaded.
func (c *console) deleteMedia(ctx context.Context, q MediaOrder) (MediaTally, error) {
	if name, ok := mediaName(q.Name); ok {
		m, err := c.o.Media.Info(ctx, name)
		if err != nil {
			return MediaTally{}, err
		}
		return MediaTally{1, m.Size}, c.o.Media.Delete(ctx, name)
	}
	if strings.HasPrefix(q.Name, "mxc:") {
		return MediaTally{}, noMediaName(q.Name)
	}
	_, account, err := c.find(ctx, q.Name)
	if err != nil {
		return MediaTally{}, err
	}
	before := time.UnixMilli(q.BeforeTS)
	if q.BeforeTS == 0 {
		before = time.Now().Add(time.Second)
	}
	t, err := c.o.Media.DeleteByUser(ctx, account.User, before)
	return MediaTally(t), err
}

// purgeMedia drops what is kept of other servers.
func (c *console) purgeMedia(ctx context.Context, q MediaOrder) (MediaTally, error) {
	if q.Name != "" || q.BeforeTS <= 0 {
		return MediaTally{}, mxerror.InvalidParam("Say until when it must not have been asked for.")
	}
	t, err := c.o.Media.PurgeCached(ctx, time.UnixMilli(q.BeforeTS))
	return MediaTally(t), err
}

func (c *console) verifyMedia(ctx context.Context, q VerifyMedia) (out MediaReport, err error) {
	out.Counts = map[string]int{}
	out.Files, err = c.o.Media.Verify(ctx, q.Remove, func(sum string, f media.Fault) {
		out.Counts[string(f)]++
		if len(out.Faults) < maxFaults {
			out.Faults = append(out.Faults, MediaFault{sum, string(f)})
		}
	})
	return out, err
}
