// Package push knows push rules: the server's defaults, a user's differences from them, and
// which rule an event meets. It follows "Push Rules" of the specification, version 1.19.
//
// Of a user only the differences are kept (Changes), as the stored form of the account data
// m.push_rules, so that everybody gets the defaults of later versions too; whoever shows that
// account data to a client must pass it through Render.
//
// A Ruleset is a user's rules made ready to be tried on events. Trying them is a pure function;
// fetching what it needs of the room, and telling anybody of the outcome, are for others.
package push
