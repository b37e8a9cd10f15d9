package irclog

import (
	"regexp"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/migration/model"
)

// entry is a line that says something of the channel.
type entry struct {
	at   time.Time
	nick string
	what model.What
	text string
}

// parser reads the lines of one log, one after the other: some give the date only when it changes.
type parser struct {
	zone *time.Location
	day  time.Time
	// lost tells whether the line that was not understood may have said something.
	lost bool
}

var (
	// stamp is the time at the beginning of a line: irssi has 15:04, ZNC and EnergyMech [15:04:05], WeeChat a date before it, in
	// newer versions like 2024-01-02T15:04:05.123456Z; and whoever likes has set their client to any of these.
	stamp   = regexp.MustCompile(`^\[?(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d(?::\d\d)?)(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?\]?([ \t]|$)(.*)$`)
	said    = regexp.MustCompile(`^<[ @+%&~!*]?([^ >]+)> ?(.*)$`)
	acted   = regexp.MustCompile(`^ ?\* ([^ ]+) (.*)$`)
	noticed = regexp.MustCompile(`^-([^ :-]+)(?::[^ -]*)?- (.*)$`)
	joins   = regexp.MustCompile(`^(?:-!-|\*\*\*) (?:Joins: ([^ ]+)|([^ ]+) \[[^\]]*\] has joined )`)
	parts   = regexp.MustCompile(`^(?:-!-|\*\*\*) (?:(?:Parts|Quits): ([^ ]+)|([^ ]+) \[[^\]]*\] has (?:left|quit))`)
	kicked  = regexp.MustCompile(`^(?:-!-|\*\*\*) ([^ ]+) was kicked `)
	topic   = regexp.MustCompile(`^(?:-!-|\*\*\*) ([^ ]+) change[sd] (?:the )?topic (?:of [^ ]+ )?to:? '?(.*?)'?$`)
	whoJoin = regexp.MustCompile(`^([^ ]+) \([^)]*\) has joined `)
	whoLeft = regexp.MustCompile(`^([^ ]+) \([^)]*\) has (?:left|quit)`)
	opened  = regexp.MustCompile(`^--- (?:Log opened|Day changed) (.*)$`)
)

// line reads one line. A line of the client itself gives an entry without a nick.
func (p *parser) line(s string) (e entry, ok bool) {
	p.lost = true
	s = strings.TrimRight(s, "\r\n")
	if strings.TrimSpace(s) == "" {
		return e, true
	}
	if m := opened.FindStringSubmatch(s); m != nil {
		for _, layout := range []string{"Mon Jan 02 15:04:05 2006", "Mon Jan 2 15:04:05 2006", "Mon Jan 02 2006", "Mon Jan 2 2006"} {
			if at, err := time.ParseInLocation(layout, strings.Join(strings.Fields(m[1]), " "), p.zone); err == nil {
				p.day = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, p.zone)
				return e, true
			}
		}
		return e, false
	}
	if strings.HasPrefix(s, "--- ") {
		return e, true // irssi: Log closed
	}
	m := stamp.FindStringSubmatch(s)
	if m == nil || m[1] == "" && p.day.IsZero() {
		return e, false // no line, or nothing says of which day
	}
	at, err := p.time(m[1], m[2], m[3])
	if err != nil {
		return e, false
	}
	if m[4] == "\t" { // WeeChat has columns
		if prefix, text, ok := strings.Cut(m[5], "\t"); ok {
			return fromWeeChat(at, prefix, text), true
		}
	}
	e.at = at
	p.rest(&e, m[5])
	return e, true
}

// time is that of a line. date may be empty, which is the day of the log; zone may be, which is that of the reader.
func (p *parser) time(date, clock, zone string) (time.Time, error) {
	if date == "" {
		date = p.day.Format(time.DateOnly)
	}
	if len(clock) == 5 {
		clock += ":00"
	}
	switch {
	case zone == "":
		return time.ParseInLocation(time.DateTime, date+" "+clock, p.zone)
	case zone == "Z":
		zone = "+0000"
	}
	return time.Parse("2006-01-02 15:04:05-0700", date+" "+clock+strings.Replace(zone, ":", "", 1))
}

// rest reads what is behind the time.
func (p *parser) rest(e *entry, s string) {
	for _, x := range []struct {
		re   *regexp.Regexp
		what model.What
	}{{said, model.Said}, {joins, model.Joined}, {parts, model.Left}, {kicked, model.Left}, {topic, model.Topic}, {noticed, model.Notice}, {acted, model.Emote}} {
		m := x.re.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		e.what = x.what
		for _, group := range m[1:] {
			if e.nick == "" {
				e.nick = group
			} else if group != "" {
				e.text = group
			}
		}
		return
	}
}

// fromWeeChat reads a line of WeeChat, whose second column says what it is.
func fromWeeChat(at time.Time, prefix, text string) entry {
	e := entry{at: at}
	switch prefix {
	case "-->":
		if m := whoJoin.FindStringSubmatch(text); m != nil {
			e.nick, e.what = m[1], model.Joined
		}
	case "<--":
		if m := whoLeft.FindStringSubmatch(text); m != nil {
			e.nick, e.what = m[1], model.Left
		}
	case "--", "", "=!=":
		if m := regexp.MustCompile(`^([^ ]+) has changed topic for [^ ]+ (?:from ".*" )?to "(.*)"$`).FindStringSubmatch(text); m != nil {
			e.nick, e.what, e.text = m[1], model.Topic, m[2]
		} else if m := regexp.MustCompile(`^Notice\(([^ )]+)\)(?: -> [^ ]+)?: (.*)$`).FindStringSubmatch(text); m != nil {
			e.nick, e.what, e.text = m[1], model.Notice, m[2]
		}
	case " *", "*":
		nick, does, _ := strings.Cut(text, " ")
		e.nick, e.what, e.text = strings.TrimLeft(nick, "@+%&~"), model.Emote, does
	default:
		e.nick, e.text = strings.TrimLeft(prefix, "@+%&~ "), text
	}
	return e
}
