package push

import "strings"

// QuietMembers tells that events of memberships notify the rules' owner only of invitations, whatever else is in them:
// the predefined rule that says so is in force, and none before it could have another one notify.
func (r *Ruleset) QuietMembers() bool { return r.quiet }

// quietMembers finds that out.
func quietMembers(override []compiled) bool {
	for _, rule := range override {
		switch {
		case rule.actions.Rule == ".m.rule.invite_for_me" && rule.actions.Kind == Override:
		case !rule.actions.Notify && (len(rule.conditions) == 0 || rule.actions.Rule == ".m.rule.member_event"):
			return true
		case !rule.actions.Notify || !rule.mayMeet("m.room.member"):
		default:
			return false
		}
	}
	return false
}

// mayMeet tells whether a rule could be met by an event of a type.
func (c compiled) mayMeet(typ string) bool {
	for _, cond := range c.conditions {
		if m, ok := cond.(eventMatch); ok && m.key.raw == "type" {
			b := evaluationBudget
			if !m.pattern.whole(strings.ToLower(typ), &b) {
				return false
			}
		}
	}
	return true
}
