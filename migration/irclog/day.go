package irclog

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// monthNames are what clients call the months. irssi writes "%a %b %d %Y" of strftime, in the language of who has logged. The
// weekday always stands before it, so that Spanish "mar" is never a Tuesday here.
var monthNames = [12]string{
	"jan janv ene gen jän tammi sty led янв січ ian oca ιαν",
	"feb febr fév févr helmi lut úno фев лют şub φεβ",
	"mar mär mrz mars mrt maalis bře мар бер μαρ márc",
	"apr avr abr huhti kwi dub апр кві nis απρ ápr",
	"may mai maj mag mei touko kvě мая май тра μαΐ máj",
	"jun juin giu kesä cze čen июн чер haz ιουν jún",
	"jul juil lug heinä lip čec июл лип tem ιουλ júl",
	"aug août aoû ago elo sie srp авг сер ağu αυγ",
	"sep sept set syys wrz zář сен вер eyl σεπ szept",
	"oct okt out ott loka paź říj окт жов eki οκτ",
	"nov marras lis ноя лис kas νοε",
	"dec dez dic déc des joulu gru pro дек гру ara δεκ",
}

var months = sync.OnceValue(func() map[string]time.Month {
	out := map[string]time.Month{}
	for i, names := range monthNames {
		for name := range strings.FieldsSeq(names) {
			out[name] = time.Month(i + 1)
		}
	}
	return out
})

// dayLine finds the parts of a date such as "Tue Jan 02 15:00:00 2024", without or with the time.
var dayLine = regexp.MustCompile(`^\S+ +(\S+) +(\d{1,2})(?: \d\d:\d\d:\d\d)? (\d{4})$`)

// readDay reads a date with its weekday, in any of the languages that are known.
func readDay(s string, zone *time.Location) (time.Time, bool) {
	m := dayLine.FindStringSubmatch(strings.Join(strings.Fields(s), " "))
	if m == nil {
		return time.Time{}, false
	}
	name := strings.ToLower(strings.TrimSuffix(m[1], "."))
	month, ok := months()[name]
	if !ok { // Chinese, Japanese and Korean have numbers
		n, err := strconv.Atoi(strings.TrimRight(name, "月월"))
		if err != nil || n < 1 || n > 12 {
			return time.Time{}, false
		}
		month = time.Month(n)
	}
	day, _ := strconv.Atoi(m[2]) // digits, by the pattern
	year, _ := strconv.Atoi(m[3])
	at := time.Date(year, month, day, 0, 0, 0, 0, zone)
	return at, at.Day() == day
}
