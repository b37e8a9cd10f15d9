package irclog

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc"
	"github.com/landbridge-im/landbridge/bridges/irc/format"
	"github.com/landbridge-im/landbridge/migration/archive"
	"github.com/landbridge-im/landbridge/migration/model"
)

// Options say how logs are read.
type Options struct {
	// Network is the id of the network in the bridge's configuration; "" is irc.
	Network string
	// Zone is where the clock of the logs was; nil is UTC.
	Zone *time.Location
}

// Bounds of what is read.
const (
	maxLog      = 512 << 20
	maxLine     = 64 << 10
	maxProblems = 20_000
)

// Export is a folder of logs.
type Export struct {
	a        *archive.Archive
	o        Options
	channels []model.Channel
	files    map[string][]log

	mu       sync.Mutex
	problems []model.Problem
}

// log is one file. day is the date of its lines, if its name says so.
type log struct {
	name string
	day  time.Time
}

var _ model.Export = (*Export)(nil)

// Open opens a folder or ZIP file of logs.
func Open(name string, o Options) (*Export, error) {
	a, err := archive.OpenWhole(name)
	if err != nil {
		return nil, err
	}
	if o.Network == "" {
		o.Network = "irc"
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	e := &Export{a: a, o: o, files: map[string][]log{}}
	for _, n := range a.Notes() {
		e.problem("the archive", n, true)
	}
	for _, n := range a.Names() {
		e.index(n)
	}
	if len(e.channels) == 0 {
		return nil, errors.Join(errors.New("there are no logs of channels: no file has the name of a channel, such as #lobby, in its path; put logs into folders that are called as their channels"), a.Close())
	}
	for _, list := range e.files {
		slices.SortStableFunc(list, func(x, y log) int { return x.day.Compare(y.day) })
	}
	return e, nil
}

func (e *Export) problem(where, what string, lost bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.problems) < maxProblems {
		e.problems = append(e.problems, model.Problem{Where: where, What: what, Lost: lost})
	}
}

var (
	// datePattern finds the day in the name of a log: 2024-01-31, 20240131.
	datePattern = regexp.MustCompile(`(?:^|[._-])(\d{4})-?(\d{2})-?(\d{2})(?:[._-]|$)`)
	// channelPattern finds the channel in a path.
	channelPattern = regexp.MustCompile(`[#&+!][^/\s,:]+`)
)

// rotated is the end of the name of a log of eggdrop: .log.20240131.
var rotated = regexp.MustCompile(`\.log[._-](\d{4}-?\d{2}-?\d{2})$`)

// stemOf is the name of a log without its ending; ok is false for what is none by its name.
func stemOf(name string) (stem string, ok bool) {
	switch ext := path.Ext(name); ext {
	case ".log", ".weechatlog", ".txt":
		return strings.TrimSuffix(name, ext), true
	}
	if m := rotated.FindStringSubmatchIndex(name); m != nil {
		return name[:m[0]] + "." + name[m[2]:], true
	}
	return "", false
}

// index finds out which channel a file is of.
func (e *Export) index(name string) {
	stem, ok := stemOf(name)
	if !ok {
		if channelPattern.MatchString(name) {
			e.problem(name, "is not read: its name ends neither in .log, .weechatlog nor .txt", true)
		}
		return
	}
	var l log
	l.name = name
	base := path.Base(stem)
	if m := datePattern.FindStringSubmatchIndex(base); m != nil {
		day, err := time.ParseInLocation("20060102", base[m[2]:m[3]]+base[m[4]:m[5]]+base[m[6]:m[7]], e.o.Zone)
		if err == nil {
			l.day = day
			base = base[:m[0]]
		}
	}
	channel := channelPattern.FindString(base)
	if channel == "" {
		if channel = channelPattern.FindString(path.Base(path.Dir(stem))); channel == "" {
			e.problem(name, "is not read: its path has no name of a channel", true)
			return
		}
	}
	key := string(irc.ChannelKey(e.o.Network, channel).ID)
	if _, known := e.files[key]; !known {
		e.channels = append(e.channels, model.Channel{Key: key, ID: key, Name: strings.ToLower(channel), Kind: model.Public})
	}
	e.files[key] = append(e.files[key], l)
	for i := range e.channels {
		if e.channels[i].Key == key {
			e.channels[i].Bytes += e.a.Size(name)
		}
	}
}

// Source implements model.Export.
func (e *Export) Source() model.Source {
	return model.Source{Network: "irc", ID: e.o.Network, Name: e.o.Network, Description: "Channels of the IRC network " + e.o.Network}
}

// People implements model.Export: logs have no lists.
func (e *Export) People() []model.Person { return nil }

// Channels implements model.Export.
func (e *Export) Channels() []model.Channel { return e.channels }

// Emoji implements model.Export.
func (e *Export) Emoji() []model.Emoji { return nil }

// Problems implements model.Export.
func (e *Export) Problems() []model.Problem {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.problems)
}

// Close implements model.Export.
func (e *Export) Close() error { return e.a.Close() }

// Messages implements model.Export.
func (e *Export) Messages(ctx context.Context, c *model.Channel) iter.Seq2[*model.Message, error] {
	return func(yield func(*model.Message, error) bool) {
		var names namer
		for _, l := range e.files[c.Key] {
			if !e.read(ctx, c.Key, l, &names, yield) {
				return
			}
		}
	}
}

// read reads one log; false if there is to be no more.
func (e *Export) read(ctx context.Context, key string, l log, names *namer, yield func(*model.Message, error) bool) bool {
	raw, err := e.a.Read(l.name, maxLog)
	if err != nil {
		e.problem(l.name, "can't be read: "+err.Error(), true)
		return true
	}
	text, _ := archive.Text(raw)
	if what := foreign(text); what != "" {
		e.problem(l.name, "is not read: "+what, true)
		return true
	}
	p := &parser{zone: e.o.Zone, day: l.day}
	var odd oddLines
	n := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		n++
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return false
		}
		x, err := p.line(lines.Text())
		if err != nil {
			odd.add(n, err)
			continue
		}
		odd.known = odd.known || !x.at.IsZero() || !p.day.Equal(l.day)
		if x.nick == "" {
			continue
		}
		m := x.message(e.o.Network)
		m.Within = clockDoubt
		m.Name, m.Where = key+"/"+names.name(&x), fmt.Sprintf("%s:%d", l.name, n)
		if !yield(m, nil) {
			return false
		}
	}
	odd.tell(e, l.name)
	if err := lines.Err(); err != nil {
		e.problem(fmt.Sprintf("%s:%d", l.name, n+1), "can't be read on: "+err.Error(), true)
	}
	return true
}

// foreign tells of logs that begin as those of clients that can't be read; "" for others.
func foreign(text []byte) string {
	head := strings.TrimLeft(string(text[:min(len(text), 200)]), "\r\n")
	switch {
	case strings.HasPrefix(head, "**** BEGIN LOGGING AT "):
		return "it is a log of HexChat or XChat, whose lines say no year and nothing of what they are"
	case strings.HasPrefix(head, "Session Start: "):
		return "it is a log of mIRC, which does not tell what people do from what the program says"
	}
	return ""
}

// oddLines are the lines of a log that were not understood.
type oddLines struct {
	at   []int
	errs []error
	// known tells that others were.
	known bool
	more  int
}

// maxOdd is how many lines of a log are told of one by one.
const maxOdd = 5

func (o *oddLines) add(n int, err error) {
	if len(o.at) < maxOdd {
		o.at, o.errs = append(o.at, n), append(o.errs, err)
	} else {
		o.more++
	}
}

func (o *oddLines) tell(e *Export, name string) {
	if n := len(o.at) + o.more; n > 0 && !o.known {
		e.problem(name, fmt.Sprintf("is not read: none of its %d lines is one of a log of WeeChat, irssi, ZNC, EnergyMech, Limnoria or eggdrop", n), true)
		return
	}
	for i, n := range o.at {
		e.problem(fmt.Sprintf("%s:%d", name, n), o.errs[i].Error(), true)
	}
	if o.more > 0 {
		e.problem(name, fmt.Sprintf("has %d more lines that are of no log that is known", o.more), true)
	}
}

// namer names lines by what they say and when. The same words at the same time are told apart by their count, also where the clock
// of the log goes back, as it does in autumn.
type namer struct {
	// now counts those since the time from, and before those of the hours before.
	now, before map[string]int
	from        int64
}

// turnBack is by how much clocks go back at most, in seconds.
const turnBack = 2 * 3600

func (r *namer) name(x *entry) string {
	t := x.at.Unix()
	if r.now == nil || t >= r.from+turnBack {
		r.before, r.now, r.from = r.now, map[string]int{}, t
	}
	sum := sha256.Sum256([]byte(string(x.what) + "\x00" + x.nick + "\x00" + x.text))
	id := fmt.Sprintf("%d.%s", t, hex.EncodeToString(sum[:6]))
	n := max(r.now[id], r.before[id]) + 1
	r.now[id] = n
	return fmt.Sprintf("%s.%d", id, n)
}

// clockDoubt is by how much the clock of who wrote a log may be wrong, and what is left out of its times.
const clockDoubt = 2 * time.Minute

// message makes a message of a line.
func (x *entry) message(network string) *model.Message {
	ghost := string(irc.Ghost(network, x.nick))
	m := &model.Message{Sender: ghost, What: x.what, Time: x.at, Value: x.text, Alias: &model.Person{Ghost: ghost, ID: ghost, Name: x.nick, Username: x.nick}}
	if x.what == model.Said || x.what == model.Emote || x.what == model.Notice {
		text := x.text
		m.Render = func(model.Resolver) model.Text {
			body, html := format.ToMatrix(text)
			return model.Text{Body: body, HTML: html}
		}
	}
	return m
}
