package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/migration/discordfetch"
)

const migrateFetchUsage = "landbridge migrate fetch -guild ID -token-file FILE -o FOLDER [-without-media] [-without-reactors] [-json] [-api URL] [-cdn URL]"

const (
	discordAPI = "https://discord.com/api/v10"
	discordCDN = "https://cdn.discordapp.com"
)

// runMigrateFetch makes an export of a Discord server with a bot's token.
func runMigrateFetch(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge migrate fetch")
	guild := fs.String("guild", "", "`id` of the Discord server")
	tokenFile := fs.String("token-file", "", "`file` with the bot's token, - for standard input")
	out := fs.String("o", "", "the `folder` of the export; one that a fetch has begun is gone on with")
	noMedia := fs.Bool("without-media", false, "leave out files and pictures")
	noReactors := fs.Bool("without-reactors", false, "leave out who has reacted, which is a request for each emoji below each message")
	asJSON := fs.Bool("json", false, "print the summary as JSON")
	base := fs.String("api", discordAPI, "base `URL` of Discord's API")
	cdn := fs.String("cdn", discordCDN, "base `URL` of Discord's files")
	rest, err := parseFlags(fs, migrateFetchUsage, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 0 || *guild == "" || *tokenFile == "" || *out == "" {
		return usageError("landbridge migrate fetch: the server, the file of the token and the folder are needed\nUsage: %s", migrateFetchUsage)
	}
	token, err := readToken(*tokenFile, std)
	if err != nil {
		return err
	}
	client, err := api.New(api.Options{Token: token, APIURL: strings.TrimSuffix(*base, "/"), CDNURL: *cdn})
	if err != nil {
		return fmt.Errorf("-api: %w", err)
	}
	o := discordfetch.Options{API: client, Guild: *guild, Dir: *out, CDN: strings.TrimSuffix(*cdn, "/"), NoMedia: *noMedia, NoReactors: *noReactors,
		HTTP: fileClient(), Progress: fetchProgress(std)}
	if *cdn != discordCDN {
		// Who names an address means it, also if it is near.
		o.HTTP = &http.Client{Timeout: fileTimeout}
	}
	r, err := discordfetch.Fetch(ctx, o)
	if err != nil {
		return fmt.Errorf("%w\nRun the same command again to go on", err)
	}
	if *asJSON {
		return printJSON(std, r)
	}
	fmt.Fprintf(std.Out, "%s: %d channels, %d threads, %d members; %d new messages, %d new files (%s).\n", plainText(r.Guild), r.Channels, r.Threads, r.Members,
		r.Messages, r.Files, bytesText(r.Bytes))
	if len(r.Problems) > 0 {
		all := len(r.Problems) + r.More
		fmt.Fprintf(std.Out, "%d things are not in the export:\n", all)
		for i, p := range r.Problems {
			if i == 50 {
				fmt.Fprintf(std.Out, "  ... and %d more\n", all-i)
				break
			}
			fmt.Fprintf(std.Out, "! %s\n", plainText(p))
		}
	}
	fmt.Fprintf(std.Out, "The export is in %s. See what it becomes: landbridge migrate plan %s\n", *out, *out)
	return nil
}

// maxToken bounds a file of a token.
const maxToken = 4096

// readToken reads a bot's token.
func readToken(name string, std stdio) (string, error) {
	in := std.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("reading the token: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxToken))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimPrefix(strings.TrimSpace(string(raw)), "Bot ")
	if token == "" || strings.ContainsAny(token, " \r\n\t") || len(raw) == maxToken {
		return "", &exitError{exitFailure, "the token must be one word"}
	}
	return token, nil
}

// fetchProgress shows now and then how far a fetch is.
func fetchProgress(std stdio) func(discordfetch.Progress) {
	next := time.Now().Add(progressEvery)
	return func(p discordfetch.Progress) {
		if now := time.Now(); now.After(next) {
			next = now.Add(progressEvery)
			fmt.Fprintf(std.Err, "%d of %d channels, %d messages, %d files (%s); now #%s\n", p.Done, p.Channels, p.Messages, p.NewFiles, bytesText(p.Bytes), plainText(p.Channel))
		}
	}
}

// progressEvery is how often a fetch says how far it is.
const progressEvery = 10 * time.Second
