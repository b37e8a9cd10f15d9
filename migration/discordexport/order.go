package discordexport

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/landbridge-im/landbridge/migration/archive"
)

// place is where a message stands in its channel: by its time, and those of one moment by their ids.
type place struct {
	ms int64
	id uint64
}

func (p place) compare(o place) int { return cmp.Or(cmp.Compare(p.ms, o.ms), cmp.Compare(p.id, o.id)) }

// placeOf reads the place of a message; ok is false for what is none.
func placeOf(raw json.RawMessage) (p place, ok bool) {
	var m struct {
		ID   string `json:"id"`
		Time string `json:"timestamp"`
	}
	if lenient(raw, &m) != nil || !validID(m.ID) {
		return p, false
	}
	p.id = number(m.ID)
	p.ms = snowflake(p.id).UnixMilli()
	if at, err := time.Parse(time.RFC3339, m.Time); err == nil {
		p.ms = at.UnixMilli()
	}
	return p, true
}

// item is a message as it is in a file.
type item struct {
	raw         json.RawMessage
	at          place
	file, where string
}

// items are the messages of a stream in order, each once. Most files have them so; of others, which were exported backwards
// (--reverse), whose parts overlap, or that somebody has put together, they are put in order in a file here first.
func (e *Export) items(s *stream) iter.Seq2[item, error] {
	if e.inOrder(s) {
		return func(yield func(item, error) bool) {
			for x := range e.asTheyAre(s) {
				if !yield(x, nil) {
					return
				}
			}
		}
	}
	return e.sorted(s)
}

// inOrder tells whether a stream's messages are in order.
func (e *Export) inOrder(s *stream) bool {
	var last place
	for _, name := range s.files {
		r, err := e.read(name)
		if err != nil {
			continue // told when it is read for good
		}
		for {
			raw, ok := r.next()
			if !ok {
				break
			}
			at, ok := placeOf(raw)
			if !ok {
				continue
			}
			if at.compare(last) <= 0 {
				r.close()
				return false
			}
			last = at
		}
		r.close()
	}
	return true
}

// asTheyAre are the messages in the order of the files, with all that is wrong told.
func (e *Export) asTheyAre(s *stream) iter.Seq[item] {
	return func(yield func(item) bool) {
		for _, name := range s.files {
			r, err := e.read(name)
			if err != nil {
				e.problem(name, "can't be read: "+err.Error(), true)
				continue
			}
			for {
				raw, ok := r.next()
				if !ok {
					break
				}
				where := fmt.Sprintf("%s, message %d", name, r.n)
				if !utf8.Valid(raw) {
					raw, _ = archive.Text(raw)
					e.problem(where, "is not in UTF-8; it was converted", false)
				}
				at, ok := placeOf(raw)
				if !ok || len(raw) > maxMessage {
					e.problem(where, "is no message", true)
					continue
				}
				if !yield(item{raw, at, name, where}) {
					r.close()
					return
				}
			}
			if r.broken != nil {
				e.problem(name, fmt.Sprintf("is broken after %d messages (%v); the rest of this file is lost", r.n, r.broken), true)
			}
			r.close()
		}
	}
}

// spooled is where a message is in the file that they are put in order in.
type spooled struct {
	at          place
	off         int64
	size        int
	file, where string
}

// sorted are the messages in order, whatever order the files have.
func (e *Export) sorted(s *stream) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		f, err := os.CreateTemp("", "landbridge-*")
		if err != nil {
			yield(item{}, err)
			return
		}
		defer func() {
			if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
				e.problem(s.files[0], "left a file behind: "+err.Error(), false)
			}
		}()
		list, err := e.spool(s, f)
		if err != nil {
			yield(item{}, fmt.Errorf("putting messages in order: %w", err))
			return
		}
		for _, x := range list {
			raw := make([]byte, x.size)
			if _, err := f.ReadAt(raw, x.off); err != nil {
				yield(item{}, fmt.Errorf("putting messages in order: %w", err))
				return
			}
			if !yield(item{raw, x.at, x.file, x.where}, nil) {
				return
			}
		}
	}
}

// spool writes the messages of a stream to a file, and gives them in order. Parts may overlap; what has the id of another message
// and is another one is told.
func (e *Export) spool(s *stream, f io.Writer) (list []spooled, err error) {
	seed := maphash.MakeSeed()
	seen := map[uint64]uint64{}
	off := int64(0)
	for x := range e.asTheyAre(s) {
		sum := maphash.Bytes(seed, x.raw)
		if have, dup := seen[x.at.id]; dup {
			if have != sum {
				e.problem(x.where, "has the id of another message; it is left out", true)
			}
			continue
		}
		seen[x.at.id] = sum
		if _, err := f.Write(x.raw); err != nil {
			return nil, err
		}
		list = append(list, spooled{x.at, off, len(x.raw), x.file, x.where})
		off += int64(len(x.raw))
	}
	slices.SortStableFunc(list, func(a, b spooled) int { return a.at.compare(b.at) })
	return list, nil
}
