// Package policy asks the policy servers of rooms whether events are wanted there: specification,
// server-server API, "Policy Servers". This server is none itself. What becomes of an event that isn't wanted
// is for the callers: those made here are refused, those of other servers soft-failed.
package policy
