package console

// tokenStep is something to do at a network before its tokens can be pasted, with a picture of where.
type tokenStep struct {
	Text string
	// Code is something to copy; "" for nothing.
	Code    string
	Picture *picture
}

var (
	slackMenu   = []string{"Basic Information", "Socket Mode", "Install App", "OAuth & Permissions", "App Manifest"}
	discordMenu = []string{"General Information", "Installation", "OAuth2", "Bot"}
)

const (
	slackSite   = "api.slack.com/apps"
	discordSite = "discord.com/developers/applications"
)

var slackSteps = []tokenStep{
	{Text: "Open api.slack.com/apps, choose “Create New App”, then “From a manifest”, and the workspace.", Picture: &picture{Site: slackSite, Title: "Your Apps",
		Lines: []pictureLine{{Kind: "button", Text: "Create New App", Press: true}, {Label: "From a manifest", Kind: "button", Text: "Choose"}}}},
	{Text: "Paste this manifest over the one that is there, and create the app. It has all scopes and events that the bridge uses.", Code: "manifest"},
	{Text: "Under “Install App”, install it to the workspace, and allow what it asks for.", Picture: &picture{Site: slackSite, Menu: slackMenu, Here: "Install App", Title: "Install App",
		Lines: []pictureLine{{Kind: "button", Text: "Install to Workspace", Press: true}}}},
	{Text: "Under “Basic Information”, “App-Level Tokens”, generate a token with the scope connections:write. It begins with xapp-.", Picture: &picture{Site: slackSite, Menu: slackMenu, Here: "Basic Information", Title: "App-Level Tokens",
		Lines: []pictureLine{{Kind: "button", Text: "Generate Token and Scopes", Press: true}, {Label: "Scope", Kind: "field", Text: "connections:write"}, {Label: "Token", Kind: "field", Text: "xapp-1-A0...", Press: true}}}},
	{Text: "Under “OAuth & Permissions”, copy the bot token. It begins with xoxb-.", Picture: &picture{Site: slackSite, Menu: slackMenu, Here: "OAuth & Permissions", Title: "OAuth Tokens",
		Lines: []pictureLine{{Label: "Bot User OAuth Token", Kind: "field", Text: "xoxb-12...", Press: true}}}},
	{Text: "In Slack, invite the app to each channel that is to be bridged: write /invite @Landbridge there.", Picture: &picture{Site: "Slack", Menu: []string{"# general", "# random"}, Here: "# general", Title: "# general",
		Lines: []pictureLine{{Kind: "field", Text: "/invite @Landbridge", Press: true}}}},
}

var discordSteps = []tokenStep{
	{Text: "Open discord.com/developers/applications and choose “New Application”. Give it a name.", Picture: &picture{Site: discordSite, Title: "Applications",
		Lines: []pictureLine{{Kind: "button", Text: "New Application", Press: true}}}},
	{Text: "Under “Bot”, switch on the intents for server members and for message content. Without them Discord does not let the bridge in.", Picture: &picture{Site: discordSite, Menu: discordMenu, Here: "Bot", Title: "Privileged Gateway Intents",
		Lines: []pictureLine{{Label: "Server Members Intent", Kind: "switch", Press: true}, {Label: "Message Content Intent", Kind: "switch", Press: true}, {Kind: "button", Text: "Save Changes"}}}},
	{Text: "Under “Bot”, reset the token and copy it. Discord shows it once.", Picture: &picture{Site: discordSite, Menu: discordMenu, Here: "Bot", Title: "Token",
		Lines: []pictureLine{{Kind: "button", Text: "Reset Token", Press: true}, {Kind: "field", Text: "MTk4NjIy..."}}}},
	{Text: "Under “General Information”, copy the application id and open this address with it in the place of APPLICATION_ID. Choose your server there: this invites the bot with the permissions that it needs.",
		Code: "https://discord.com/oauth2/authorize?client_id=APPLICATION_ID&scope=bot%20applications.commands&permissions=1426466090054",
		Picture: &picture{Site: discordSite, Menu: discordMenu, Here: "General Information", Title: "General Information",
			Lines: []pictureLine{{Label: "Application ID", Kind: "field", Text: "1029384756", Press: true}, {Kind: "button", Text: "Copy"}}}},
	{Text: "For a private channel, add the bot to it in the channel's permissions.", Picture: &picture{Site: "Discord", Menu: []string{"Overview", "Permissions", "Invites"}, Here: "Permissions", Title: "Channel Permissions",
		Lines: []pictureLine{{Kind: "button", Text: "Add members or roles", Press: true}, {Label: "Landbridge (bot)", Kind: "check"}}}},
}
