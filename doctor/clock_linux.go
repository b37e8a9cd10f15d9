package doctor

import (
	"context"

	"golang.org/x/sys/unix"
)

// clock asks the kernel whether somebody keeps the clock right.
func (d *doctor) clock(context.Context) []Finding {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return skipped("the system does not say: %v", err)
	}
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 {
		return doubt("run systemd-timesyncd, chrony or ntpd; in a container, on its host. Other servers refuse what is from the future", "nobody keeps the clock right, as far as the system knows")
	}
	return good("it is kept right, to %d ms", t.Maxerror/1000)
}
