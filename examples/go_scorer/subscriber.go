package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/mail"
	"regexp"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

const maxBytes = 32768

// problem says why a record cannot be processed.
type problem struct{ code, detail string }

func wrong(code, format string, values ...any) *problem {
	return &problem{code, fmt.Sprintf(format, values...)}
}

// check looks at one value; at names its place.
type check func(at string, value any) *problem

type field struct {
	check    check
	required bool
}

func object(fields map[string]field) check {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return func(at string, value any) *problem {
		members, ok := value.(map[string]any)
		if !ok {
			return wrong("E_TYPE", "%s is no object", at)
		}
		for _, name := range names {
			member, there := members[name]
			if !there {
				if fields[name].required {
					return wrong("E_MISSING", "%s/%s is missing", at, name)
				}
				continue
			}
			if p := fields[name].check(at+"/"+name, member); p != nil {
				return p
			}
		}
		for name := range members {
			if _, known := fields[name]; !known {
				return wrong("E_UNKNOWN", "%s/%s is unknown", at, name)
			}
		}
		return nil
	}
}

func list(most int, item check) check {
	return func(at string, value any) *problem {
		items, ok := value.([]any)
		if !ok {
			return wrong("E_TYPE", "%s is no list", at)
		}
		if len(items) > most {
			return wrong("E_RANGE", "%s has more than %d items", at, most)
		}
		for i, one := range items {
			if p := item(fmt.Sprintf("%s/%d", at, i), one); p != nil {
				return p
			}
		}
		return nil
	}
}

func number(low, high, step float64) check {
	return func(at string, value any) *problem {
		text, ok := value.(json.Number)
		if !ok {
			return wrong("E_TYPE", "%s is no number", at)
		}
		n, err := text.Float64()
		if err != nil {
			return wrong("E_SYNTAX", "%s: %v", at, err)
		}
		if step == 1 && n != math.Trunc(n) {
			return wrong("E_TYPE", "%s is no whole number", at)
		}
		if n < low || n > high || (step != 0 && math.Mod(n, step) != 0) {
			return wrong("E_RANGE", "%s is out of range", at)
		}
		return nil
	}
}

func text(code string, fits func(string) bool) check {
	return func(at string, value any) *problem {
		s, ok := value.(string)
		if !ok {
			return wrong("E_TYPE", "%s is no text", at)
		}
		if !fits(s) {
			return wrong(code, "%s cannot be %.40q", at, s)
		}
		return nil
	}
}

func oneOf(allowed ...string) check {
	return text("E_VALUE", func(s string) bool {
		for _, a := range allowed {
			if s == a {
				return true
			}
		}
		return false
	})
}

func pattern(p string) check { return text("E_FORMAT", regexp.MustCompile(p).MatchString) }

func moment(layout string) check {
	return text("E_FORMAT", func(s string) bool { _, err := time.Parse(layout, s); return err == nil })
}

func yesOrNo(at string, value any) *problem {
	if _, ok := value.(bool); !ok {
		return wrong("E_TYPE", "%s is neither true nor false", at)
	}
	return nil
}

func contact(at string, value any) *problem {
	members, _ := value.(map[string]any)
	if _, there := members["email"]; there {
		return object(map[string]field{"email": {text("E_FORMAT", func(s string) bool {
			_, err := mail.ParseAddress(s)
			return err == nil
		}), true}})(at, value)
	}
	return object(map[string]field{"phone": {pattern(`^\+[0-9]{7,15}$`), true}})(at, value)
}

var subscriber = object(map[string]field{
	"header": {object(map[string]field{
		"requestId":  {pattern(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`), true},
		"measuredAt": {moment(time.RFC3339), true},
	}), true},
	"subscriber": {object(map[string]field{
		"id":      {pattern(`^S-[0-9]{9}$`), true},
		"since":   {moment(time.DateOnly), true},
		"segment": {oneOf("PRIVATE", "BUSINESS"), true},
		"contact": {contact, false},
	}), true},
	"usage": {object(map[string]field{
		"minutes":   {number(0, 44640, 0), true},
		"gigabytes": {number(0, 5000, 0), true},
		"topUps": {list(12, object(map[string]field{
			"amount": {number(0.5, 500, 0.5), true},
			"on":     {moment(time.DateOnly), true},
		})), false},
	}), true},
	"openTickets": {number(0, 50, 1), true},
	"roaming":     {yesOrNo, false},
})

// duplicate tells whether a name occurs twice in one object, which the decoder lets pass.
// It reads the next value, which must be JSON.
func duplicate(decoder *json.Decoder) (string, bool) {
	token, _ := decoder.Token()
	delimiter, _ := token.(json.Delim)
	if delimiter == 0 {
		return "", false
	}
	names := map[string]bool{}
	for decoder.More() {
		if delimiter == '{' {
			token, _ := decoder.Token()
			name := token.(string)
			if names[name] {
				return name, true
			}
			names[name] = true
		}
		if name, twice := duplicate(decoder); twice {
			return name, true
		}
	}
	decoder.Token()
	return "", false
}

// evaluate returns the score of a subscriber as JSON, or why there is none.
func evaluate(r *kgo.Record) ([]byte, *problem) {
	switch {
	case r.Value == nil:
		return nil, wrong("E_NULL", "the record has no value")
	case len(r.Value) == 0:
		return nil, wrong("E_EMPTY", "the value is empty")
	case len(r.Value) > maxBytes:
		return nil, wrong("E_SIZE", "%d bytes are more than %d", len(r.Value), maxBytes)
	case !utf8.Valid(r.Value):
		return nil, wrong("E_SYNTAX", "the value is not UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Value))
	decoder.UseNumber()
	var document any
	if err := decoder.Decode(&document); err != nil {
		return nil, wrong("E_SYNTAX", "%v", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, wrong("E_SYNTAX", "there is something behind the document")
	}
	if name, twice := duplicate(json.NewDecoder(bytes.NewReader(r.Value))); twice {
		return nil, wrong("E_SYNTAX", "the name %.40q occurs twice in one object", name)
	}
	if _, ok := document.(map[string]any); !ok {
		return nil, wrong("E_SHAPE", "the value is no object")
	}
	if p := subscriber("", document); p != nil {
		return nil, p
	}
	encoded, err := json.Marshal(score(document.(map[string]any)))
	if err != nil {
		return nil, wrong("E_TYPE", "%v", err)
	}
	return encoded, nil
}

type result struct {
	Subject    string `json:"subject"`
	Risk       string `json:"risk"`
	Score      int    `json:"score"`
	Request    string `json:"request"`
	MeasuredAt string `json:"measured_at"`
	ScoredAt   string `json:"scored_at"`
	Model      string `json:"model"`
}

func score(document map[string]any) result {
	part := func(name string) map[string]any { return document[name].(map[string]any) }
	amount := func(value any) float64 { n, _ := value.(json.Number).Float64(); return n }
	points := 200 + 12*amount(document["openTickets"])
	points += 400 * math.Exp(-amount(part("usage")["minutes"])/5000)
	if part("subscriber")["segment"] == "PRIVATE" {
		points += 60
	}
	total := int(min(1000, math.Round(points)))
	risk := "LOW"
	if total >= 500 {
		risk = "HIGH"
	}
	return result{
		Subject:    part("subscriber")["id"].(string),
		Risk:       risk,
		Score:      total,
		Request:    part("header")["requestId"].(string),
		MeasuredAt: part("header")["measuredAt"].(string),
		ScoredAt:   time.Now().UTC().Format(time.RFC3339Nano),
		Model:      "rules-3",
	}
}
