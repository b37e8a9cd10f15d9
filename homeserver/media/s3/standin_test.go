package s3

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// standIn is an object store that checks every signature, by
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
type standIn struct {
	t              *testing.T
	bucket         string
	access, secret string

	mu      sync.Mutex
	objects map[string][]byte
	uploads map[string]map[int][]byte
	// requests counts what was asked for, by method and kind.
	requests map[string]int
	// fail makes so many of the following writes fail with a server error.
	fail int
}

func newStandIn(t *testing.T) *standIn {
	return &standIn{t: t, bucket: "files", access: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG", objects: map[string][]byte{},
		uploads: map[string]map[int][]byte{}, requests: map[string]int{}}
}

func (s *standIn) refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>refused</Message></Error>`, code)
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

func awsEscape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// signed checks a request's signature and returns its body.
func (s *standIn) signed(r *http.Request) ([]byte, string) {
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return nil, "AccessDenied"
	}
	part := map[string]string{}
	for field := range strings.SplitSeq(auth, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(field), "=")
		part[k] = v
	}
	scope := strings.Split(part["Credential"], "/")
	if len(scope) != 5 || scope[0] != s.access || scope[2] != "test-1" || scope[3] != "s3" {
		return nil, "InvalidAccessKeyId"
	}
	date := r.Header.Get("X-Amz-Date")
	if at, err := time.Parse("20060102T150405Z", date); err != nil || time.Since(at).Abs() > 15*time.Minute || date[:8] != scope[1] {
		return nil, "RequestTimeTooSkewed"
	}
	names := strings.Split(part["SignedHeaders"], ";")
	if !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-content-sha256") || !slices.IsSorted(names) {
		return nil, "AuthorizationHeaderMalformed"
	}
	var headers strings.Builder
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.TrimSpace(value))
	}
	var query []string
	for k, list := range r.URL.Query() {
		for _, v := range list {
			query = append(query, awsEscape(k)+"="+awsEscape(v))
		}
	}
	slices.Sort(query)
	payload := r.Header.Get("X-Amz-Content-Sha256")
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), strings.Join(query, "&"), headers.String(), part["SignedHeaders"], payload}, "\n")
	place := strings.Join(scope[1:], "/")
	key := mac(mac(mac(mac([]byte("AWS4"+s.secret), scope[1]), scope[2]), scope[3]), scope[4])
	signature := hex.EncodeToString(mac(key, strings.Join([]string{"AWS4-HMAC-SHA256", date, place, sum([]byte(canonical))}, "\n")))
	if !hmac.Equal([]byte(signature), []byte(part["Signature"])) {
		return nil, "SignatureDoesNotMatch"
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, "IncompleteBody"
	}
	switch payload {
	case "UNSIGNED-PAYLOAD":
		if len(raw) > 0 {
			return nil, "NotSigned"
		}
		return raw, ""
	case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
		return s.chunks(raw, key, date, place, signature)
	}
	if sum(raw) != payload {
		return nil, "XAmzContentSHA256Mismatch"
	}
	return raw, ""
}

// chunks takes a body apart that is signed piece by piece.
func (s *standIn) chunks(raw, key []byte, date, place, previous string) (out []byte, code string) {
	r := bufio.NewReader(bytes.NewReader(raw))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, "IncompleteBody"
		}
		size, signature, _ := strings.Cut(strings.TrimSpace(line), ";chunk-signature=")
		n, err := strconv.ParseInt(size, 16, 32)
		if err != nil {
			return nil, "IncompleteBody"
		}
		data := make([]byte, n+2)
		if _, err := io.ReadFull(r, data); err != nil {
			return nil, "IncompleteBody"
		}
		data = data[:n]
		want := hex.EncodeToString(mac(key, strings.Join([]string{"AWS4-HMAC-SHA256-PAYLOAD", date, place, previous, sum(nil), sum(data)}, "\n")))
		if want != signature {
			return nil, "SignatureDoesNotMatch"
		}
		if n == 0 {
			return out, ""
		}
		previous, out = want, append(out, data...)
	}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, code := s.signed(r)
	if code != "" {
		s.t.Errorf("%s %s: %s", r.Method, r.URL, code)
		s.refuse(w, http.StatusForbidden, code)
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if bucket != s.bucket {
		s.refuse(w, http.StatusNotFound, "NoSuchBucket")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	kind := r.Method
	switch {
	case key == "":
		kind += " bucket"
	case q.Has("uploads"):
		kind += " uploads"
	case q.Has("uploadId"):
		kind += " part"
	}
	s.requests[kind]++
	if (kind == "PUT" || kind == "PUT part") && s.fail > 0 {
		s.fail--
		s.refuse(w, http.StatusServiceUnavailable, "SlowDown")
		return
	}
	switch kind {
	case "HEAD bucket":
	case "GET bucket":
		s.list(w, q)
	case "PUT":
		s.objects[key] = body
		w.Header().Set("ETag", `"`+sum(body)[:32]+`"`)
	case "GET", "HEAD":
		object, ok := s.objects[key]
		if !ok {
			s.refuse(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		w.Header().Set("ETag", `"`+sum(object)[:32]+`"`)
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Unix(1700000000, 0), bytes.NewReader(object))
	case "DELETE":
		delete(s.objects, key)
		w.WriteHeader(http.StatusNoContent)
	case "POST uploads":
		id := fmt.Sprint("upload", len(s.uploads))
		s.uploads[id] = map[int][]byte{}
		fmt.Fprintf(w, `<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>`, bucket, key, id)
	case "PUT part":
		n, err := strconv.Atoi(q.Get("partNumber"))
		parts, ok := s.uploads[q.Get("uploadId")]
		if err != nil || !ok {
			s.refuse(w, http.StatusNotFound, "NoSuchUpload")
			return
		}
		parts[n] = body
		w.Header().Set("ETag", `"`+sum(body)[:32]+`"`)
	case "POST part":
		s.complete(w, key, q.Get("uploadId"), body)
	case "DELETE part":
		delete(s.uploads, q.Get("uploadId"))
		w.WriteHeader(http.StatusNoContent)
	default:
		s.t.Errorf("%s %s is not known", r.Method, r.URL)
		s.refuse(w, http.StatusNotImplemented, "NotImplemented")
	}
}

func (s *standIn) complete(w http.ResponseWriter, key, id string, body []byte) {
	var list struct {
		Part []struct {
			PartNumber int
			ETag       string
		}
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		s.refuse(w, http.StatusBadRequest, "MalformedXML")
		return
	}
	var whole []byte
	for _, p := range list.Part {
		data, ok := s.uploads[id][p.PartNumber]
		if !ok || strings.Trim(p.ETag, `"`) != sum(data)[:32] {
			s.refuse(w, http.StatusBadRequest, "InvalidPart")
			return
		}
		whole = append(whole, data...)
	}
	delete(s.uploads, id)
	s.objects[key] = whole
	fmt.Fprintf(w, `<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><ETag>"%s"</ETag></CompleteMultipartUploadResult>`, s.bucket, key, sum(whole)[:32])
}

// list answers in pages of two.
func (s *standIn) list(w http.ResponseWriter, q url.Values) {
	var keys []string
	for k := range s.objects {
		if strings.HasPrefix(k, q.Get("prefix")) && k > q.Get("continuation-token") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	more := len(keys) > 2
	keys = keys[:min(2, len(keys))]
	fmt.Fprintf(w, `<ListBucketResult><Name>%s</Name><IsTruncated>%t</IsTruncated>`, s.bucket, more)
	if more {
		fmt.Fprintf(w, `<NextContinuationToken>%s</NextContinuationToken>`, keys[1])
	}
	for _, k := range keys {
		fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"x"</ETag><LastModified>2023-11-14T22:13:20.000Z</LastModified></Contents>`, k, len(s.objects[k]))
	}
	fmt.Fprint(w, `</ListBucketResult>`)
}
