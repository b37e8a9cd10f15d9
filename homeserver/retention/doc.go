// Package retention removes messages that are older than they are to be kept: by the administrator's policy, and by that
// of a room (MSC1763). What else happens with a room's history, what clients may see of it and what is removed by an
// administrator's order, is not decided here.
package retention
