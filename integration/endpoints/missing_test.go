package endpoints

// missing are the operations that are not there yet, each with the reason. The test fails if one
// of them begins to answer, so that nothing stays here for longer than it must.
var missing = map[string]string{
	// Accounts.
	"generateLoginToken":                noLogins,
	"refresh":                           noLogins,
	"redirectToSSO":                     noLogins,
	"redirectToIdP":                     noLogins,
	"getAuthMetadata":                   noLogins,
	"getAccount3PIDs":                   noMail,
	"post3PIDs":                         noMail,
	"add3PID":                           noMail,
	"bind3PID":                          noMail,
	"delete3pidFromAccount":             noMail,
	"unbind3pidFromAccount":             noMail,
	"requestTokenTo3PIDEmail":           noMail,
	"requestTokenTo3PIDMSISDN":          noMail,
	"requestTokenToRegisterEmail":       noMail,
	"requestTokenToRegisterMSISDN":      noMail,
	"requestTokenToResetPasswordEmail":  noMail,
	"requestTokenToResetPasswordMSISDN": noMail,
	"requestOpenIdToken":                "OpenID tokens are for integration managers, and wait for federation",
	"getWhoIs":                          noAdmin,
	"getAdminLockUser":                  noAdmin,
	"setAdminLockUser":                  noAdmin,
	"getAdminSuspendUser":               noAdmin,
	"setAdminSuspendUser":               noAdmin,
	"reportUser":                        noReports,

	// Rooms and events.
	"reportEvent":                              noReports,
	"reportRoom":                               noReports,
	"upgradeRoom":                              "upgrades are not built",
	"getMutualRooms":                           "not built",
	"getEventByTimestamp":                      "not built",
	"getRelatingEvents":                        noRelations,
	"getRelatingEventsWithRelType":             noRelations,
	"getRelatingEventsWithRelTypeAndEventType": noRelations,
	"getThreadRoots":                           noRelations,
	"roomInitialSync":                          oldSync,
	"initialSync":                              oldSync,
	"getEvents":                                oldSync,
	"peekEvents":                               oldSync,
	"getOneEvent":                              oldSync,
	"getPresence":                              "presence is not built",
	"setPresence":                              "presence is not built",

	// Encryption, media and push.
	"getPushers":                noPush,
	"postPusher":                noPush,
	"getNotifications":          noPush,
	"postRoomKeysVersion":       noBackup,
	"getRoomKeysVersionCurrent": noBackup,
	"getRoomKeysVersion":        noBackup,
	"putRoomKeysVersion":        noBackup,
	"deleteRoomKeysVersion":     noBackup,
	"putRoomKeyBySessionId":     noBackup,
	"putRoomKeysByRoomId":       noBackup,
	"putRoomKeys":               noBackup,
	"getRoomKeyBySessionId":     noBackup,
	"getRoomKeysByRoomId":       noBackup,
	"getRoomKeys":               noBackup,
	"deleteRoomKeyBySessionId":  noBackup,
	"deleteRoomKeysByRoomId":    noBackup,
	"deleteRoomKeys":            noBackup,
	"getUrlPreview":             "previews are not built",
	"getUrlPreviewAuthed":       "previews are not built",

	// The server.
	"getTurnServer":                           "not built",
	"getWellknownSupport":                     "not built",
	"getWellknownPolicy":                      "policy servers are not built",
	"getProtocols":                            noThirdParty,
	"getProtocolMetadata":                     noThirdParty,
	"queryLocationByProtocol":                 noThirdParty,
	"queryUserByProtocol":                     noThirdParty,
	"queryLocationByAlias":                    noThirdParty,
	"queryUserByID":                           noThirdParty,
	"updateAppserviceRoomDirectoryVisibility": noThirdParty,
}

const (
	noLogins     = "refresh tokens and single sign-on are not built"
	noMail       = "mail and third-party identifiers are not built"
	noAdmin      = "administration is not built"
	noReports    = "reports are not built"
	noRelations  = "relations are not built"
	noPush       = "pushes are not sent yet"
	noBackup     = "the backup of keys is not built"
	noThirdParty = "third-party look-ups are not built"
	oldSync      = "the deprecated forms of sync are not built"
)

// wantsToken are the operations that want a token although the specification doesn't. The test
// fails if one does no longer.
var wantsToken = map[string]string{
	"changePassword":    "without a token, who it is could only be told by mail",
	"deactivateAccount": "without a token, who it is could only be told by mail",
}
