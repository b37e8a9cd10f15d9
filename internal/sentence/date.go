package sentence

import "time"

// Date is a day, such as "2 January 2006".
func Date(t time.Time) Text {
	return Say("%d %s %d", t.Day(), Say(t.Month().String()), t.Year())
}

// Weekday is a day with its name, such as "Monday, 2 January 2006".
func Weekday(t time.Time) Text {
	return Say("%s, %s", Say(t.Weekday().String()), Date(t))
}
