// Package elsewhere brings a migration into a homeserver that is not Landbridge, through its application-service API: it is a
// run.Target, and what verify asks.
//
// The accounts, rooms and events are made with the token of one application service, that of the bridge that may go on, under the
// names of its ghosts (?user_id=) and with the times of then (?ts=). What has become what is kept in a file here, the ledger. A
// homeserver forgets after a while which transactions it has seen, so before something is said it is noted, and after a crash the
// end of the room is looked at for it. So nothing is said twice, whoever of the two was killed.
//
// What must not live here: anything of one network, and what only our own homeserver can do.
package elsewhere
