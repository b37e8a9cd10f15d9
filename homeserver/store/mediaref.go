package store

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// MediaName is the two parts of an mxc URI.
type MediaName struct{ Origin, ID string }

// mxcPattern finds mxc URIs anywhere in an event: as values, and in formatted text.
var mxcPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`mxc://([A-Za-z0-9.\-:\[\]]{1,255})/([A-Za-z0-9_\-]{1,255})`)
})

// mediaIn lists the media that JSON speaks of.
func mediaIn(raw []byte) []MediaName {
	if bytes.Contains(raw, []byte(`\/`)) {
		raw = bytes.ReplaceAll(raw, []byte(`\/`), []byte("/"))
	}
	if !bytes.Contains(raw, []byte("mxc://")) {
		return nil
	}
	var out []MediaName
	for _, m := range mxcPattern().FindAllSubmatch(raw, -1) {
		out = append(out, MediaName{string(m[1]), string(m[2])})
	}
	return out
}

// addMediaRefs notes which media an event speaks of.
func (t *Tx) addMediaRefs(event, room int64, raw []byte) error {
	for _, m := range mediaIn(raw) {
		if err := t.exec("media_ref_insert", event, m.Origin, m.ID, room); err != nil {
			return err
		}
	}
	return nil
}

// pruneMediaRefs notes that an event, of which raw is left, speaks no longer of what it spoke of.
func (t *Tx) pruneMediaRefs(event, room int64, raw []byte) error {
	if err := t.exec("media_ref_lost", event); err != nil {
		return err
	}
	if err := t.exec("media_ref_delete", event); err != nil {
		return err
	}
	return t.addMediaRefs(event, room, raw)
}

// MediaInRoom lists the media that a room's events speak of, in order, after one of them.
func (s *Store) MediaInRoom(ctx context.Context, room int64, after MediaName, limit int) ([]MediaName, error) {
	return collect(ctx, s, "media_ref_room", scanMediaName, room, after.Origin, after.ID, limit)
}

func scanMediaName(r scanner) (m MediaName, err error) { return m, r.Scan(&m.Origin, &m.ID) }

// MediaReferred tells whether any event, profile or account data speaks of a piece of media. It
// may say so of one that merely looks alike, and does not see into encrypted events.
func (t *Tx) MediaReferred(m MediaName) (bool, error) {
	var n int64
	if err := t.row("media_ref_count", m.Origin, m.ID).Scan(&n); err != nil || n > 0 {
		return n > 0, err
	}
	// The characters of a name that LIKE takes for patterns only let it find more.
	like := "%" + strings.ReplaceAll("mxc://"+m.Origin+"/"+m.ID, `\`, "_") + "%"
	err := t.row("media_ref_userdata", like).Scan(&n)
	return n > 0, err
}

// UnreferredMedia lists media that lost a mention in an event before a time, the first first.
// What lost one since the last call counts from nowMS on.
func (t *Tx) UnreferredMedia(nowMS, beforeMS int64, limit int) (names []MediaName, err error) {
	if err := t.exec("media_unref_stamp", nowMS); err != nil {
		return nil, err
	}
	err = t.each("media_unref_due", func(r scanner) error {
		m, err := scanMediaName(r)
		names = append(names, m)
		return err
	}, beforeMS, limit)
	return names, err
}

// DropUnreferred takes a piece of media off that list.
func (t *Tx) DropUnreferred(m MediaName) error { return t.exec("media_unref_delete", m.Origin, m.ID) }

const (
	metaMediaRefs = "media_ref_from"
	mediaRefsDone = "done"
)

// ReadMediaRefs reads some of the events that are older than the table of mentions; done when
// none is left. Until then nothing may be concluded from that table.
func (s *Store) ReadMediaRefs(ctx context.Context) (done bool, err error) {
	const batch = 500
	value, err := s.Meta(ctx, metaMediaRefs)
	if errors.Is(err, ErrNotFound) || err == nil && value == mediaRefsDone {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	from, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false, err
	}
	type row struct {
		nid, room int64
		raw       []byte
	}
	err = s.Write(ctx, func(t *Tx) error {
		var rows []row
		err := t.each("media_ref_unread", func(r scanner) error {
			var v row
			err := r.Scan(&v.nid, &v.room, &v.raw)
			rows = append(rows, v)
			return err
		}, from, batch)
		if err != nil {
			return err
		}
		for _, v := range rows {
			if err := t.addMediaRefs(v.nid, v.room, v.raw); err != nil {
				return err
			}
		}
		if done = len(rows) < batch; done {
			return t.SetMeta(metaMediaRefs, mediaRefsDone)
		}
		return t.SetMeta(metaMediaRefs, strconv.FormatInt(rows[len(rows)-1].nid, 10))
	})
	return done && err == nil, err
}
