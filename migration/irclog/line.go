package irclog

import (
	"errors"
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
}

// errors of a line
var (
	errLine = errors.New("is no line of a log that is known")
	errDay  = errors.New("says another day, which can't be read: the lines up to the next day are lost")
)

// nick is what a nickname may look like; networks have letters of all languages in them, bridges dots and slashes.
const nick = `[\pL\pN_\[\]\\^{}|` + "`" + `][^ \t<>!:]*`

// info begins what a client or server says itself: irssi has -!-, ZNC, EnergyMech and Limnoria three stars.
const info = `(?:-!-|\*\*\*) `

var (
	// stamp is the time at the beginning of a line: irssi has 15:04, ZNC and EnergyMech [15:04:05], WeeChat a date before it, in
	// newer versions like 2024-01-02T15:04:05.123456Z; and whoever likes has set their client to any of these.
	stamp   = regexp.MustCompile(`^\[?(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d(?::\d\d)?)(?:[.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)?\]?([ \t]|$)(.*)$`)
	opened  = regexp.MustCompile(`^--- (?:Log opened|Day changed) (.*)$`)
	newDay  = regexp.MustCompile(`^--- (\S+ +\S+ +\d{1,2} +\d{4})$`)
	said    = regexp.MustCompile(`^<[ @+%&~!*]?([^ >]+)> ?(.*)$`)
	acted   = regexp.MustCompile(`^(?:\*|Action:) (` + nick + `)(?: (.*))?$`)
	noticed = regexp.MustCompile(`^-(` + nick + `)(?::[^ -]*)?- (.*)$`)
	whoJoin = regexp.MustCompile(`^([^ ]+) \([^)]*\) `)
	topicOf = regexp.MustCompile(`^([^ ]+) has changed topic for [^ ]+ (?:from ".*" )?to "(.*)"$`)
	notice  = regexp.MustCompile(`^Notice\(([^ )]+)\)(?: -> [^ ]+)?: (.*)$`)
	hasKick = regexp.MustCompile(`^[^ ]+ has kicked ([^ ]+)`)
	isNick  = regexp.MustCompile(`^` + nick + `$`)
)

// events are what clients tell of a channel, each with the nickname and maybe a text. Those that begin with a star and a name are
// before what is done by that name.
var events = []struct {
	re   *regexp.Regexp
	what model.What
}{
	{regexp.MustCompile(`^` + info + `Joins: ([^ ]+)`), model.Joined},
	{regexp.MustCompile(`^` + info + `([^ ]+)(?: (?:\[[^\]]*\]|<[^>]*>|\([^)]*\)))? has joined `), model.Joined},
	{regexp.MustCompile(`^\* ([^ ]+) \([^) ]*@[^) ]*\) has joined `), model.Joined},
	{regexp.MustCompile(`^([^ ]+) \([^) ]*@[^) ]*\) joined `), model.Joined},
	{regexp.MustCompile(`^` + info + `(?:Parts|Quits): ([^ ]+)`), model.Left},
	{regexp.MustCompile(`^` + info + `([^ ]+)(?: (?:\[[^\]]*\]|<[^>]*>|\([^)]*\)))? has (?:left|quit)`), model.Left},
	{regexp.MustCompile(`^\* ([^ ]+) \([^) ]*@[^) ]*\) (?:has left|has quit|Quit)`), model.Left},
	{regexp.MustCompile(`^([^ ]+) \([^) ]*@[^) ]*\) (?:left irc|left|got netsplit)`), model.Left},
	{regexp.MustCompile(`^` + info + `([^ ]+) was kicked `), model.Left},
	{regexp.MustCompile(`^([^ ]+) kicked from [#&+!][^ ]* by `), model.Left},
	{regexp.MustCompile(`^` + info + `([^ ]+) change[sd] (?:the )?topic (?:of [^ ]+ )?to:? ['"]?(.*?)['"]?$`), model.Topic},
	{regexp.MustCompile(`^Topic changed on [^ ]+ by ([^ !]+)[^ ]*: (.*)$`), model.Topic},
}

// own are lines of the client itself of which nothing becomes a message: modes, nicknames, lists, what servers say.
var own = regexp.MustCompile(`^(?:-!-|\*\*\*|===|>>>|!|\[|Irssi:|Nick change: |[#&+!][^ ]*: mode change )`)

// line reads one line. A line of the client itself gives an entry without a nick.
func (p *parser) line(s string) (e entry, err error) {
	s = strings.TrimRight(s, "\r\n")
	if strings.TrimSpace(s) == "" {
		return e, nil
	}
	if m := opened.FindStringSubmatch(s); m != nil {
		return e, p.turn(m[1])
	}
	if strings.HasPrefix(s, "--- ") {
		return e, nil // irssi: Log closed
	}
	m := stamp.FindStringSubmatch(s)
	if m == nil {
		return e, errLine
	}
	if m := newDay.FindStringSubmatch(m[5]); m != nil {
		return e, p.turn(m[1])
	}
	if m[1] == "" && p.day.IsZero() {
		return e, errLine // nothing says of which day
	}
	at, err := p.time(m[1], m[2], m[3])
	if err != nil {
		return e, errLine
	}
	if m[4] == "\t" { // WeeChat has columns
		if prefix, text, ok := strings.Cut(m[5], "\t"); ok {
			return fromWeeChat(at, prefix, text)
		}
	}
	e.at = at
	return e, e.rest(strings.TrimLeft(m[5], " "))
}

// turn makes another day that of the lines that follow. What can't be read must not leave them the day before.
func (p *parser) turn(s string) error {
	day, ok := readDay(s, p.zone)
	if p.day = day; !ok {
		p.day = time.Time{}
		return errDay
	}
	return nil
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
func (e *entry) rest(s string) error {
	take := func(what model.What, m []string) error {
		e.what, e.nick = what, m[1]
		if what == model.Said { // some write the address with the name
			e.nick, _, _ = strings.Cut(e.nick, "!")
		}
		if len(m) > 2 {
			e.text = m[2]
		}
		return nil
	}
	if m := said.FindStringSubmatch(s); m != nil {
		return take(model.Said, m)
	}
	for _, x := range events {
		if m := x.re.FindStringSubmatch(s); m != nil {
			return take(x.what, m)
		}
	}
	if m := noticed.FindStringSubmatch(s); m != nil {
		return take(model.Notice, m)
	}
	if m := acted.FindStringSubmatch(s); m != nil {
		return take(model.Emote, m)
	}
	if s == "" || own.MatchString(s) {
		return nil
	}
	return errLine
}

// marks are what may stand before a nickname in WeeChat.
const marks = "@+%&~!* "

// fromWeeChat reads a line of WeeChat, whose second column says what it is. What it says of who comes and goes is in the language
// of who has logged, with the address behind the name.
func fromWeeChat(at time.Time, prefix, text string) (entry, error) {
	e := entry{at: at}
	switch prefix {
	case "-->":
		if m := whoJoin.FindStringSubmatch(text); m != nil {
			e.nick, e.what = m[1], model.Joined
		}
	case "<--":
		if m := whoJoin.FindStringSubmatch(text); m != nil {
			e.nick, e.what = m[1], model.Left
		} else if m := hasKick.FindStringSubmatch(text); m != nil {
			e.nick, e.what = m[1], model.Left
		}
	case "--", "", "=!=":
		if m := topicOf.FindStringSubmatch(text); m != nil {
			e.nick, e.what, e.text = m[1], model.Topic, m[2]
		} else if m := notice.FindStringSubmatch(text); m != nil {
			e.nick, e.what, e.text = m[1], model.Notice, m[2]
		}
	case " *", "*":
		nick, does, _ := strings.Cut(text, " ")
		e.nick, e.what, e.text = strings.TrimLeft(nick, "@+%&~"), model.Emote, does
	default:
		name := strings.TrimLeft(prefix, marks)
		if isNick.MatchString(name) {
			e.nick, e.text = name, text
			return e, nil
		}
		// Arrows and the like, as somebody has chosen them for what WeeChat says itself.
		for _, x := range weechatEvents {
			if m := x.re.FindStringSubmatch(text); m != nil {
				e.nick, e.what = m[1], x.what
				return e, nil
			}
		}
		return e, errLine
	}
	return e, nil
}

var weechatEvents = []struct {
	re   *regexp.Regexp
	what model.What
}{
	{regexp.MustCompile(`^([^ ]+) \([^) ]*@[^) ]*\) has joined `), model.Joined},
	{regexp.MustCompile(`^([^ ]+) \([^) ]*@[^) ]*\) has (?:left|quit)`), model.Left},
}
