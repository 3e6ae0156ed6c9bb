// Does what the entity `way` says; see tests/it/black_box/conformance.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"
)

type event struct {
	Entities map[string][]struct {
		Value any `json:"entity_value"`
	} `json:"entities"`
	UserDetails map[string]any `json:"user_details"`
}

type object = map[string]any

var runs int

func main() {
	var asked event
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	way, _ := first(asked, "way").(string)
	if err := json.NewEncoder(os.Stdout).Encode(reply(asked, way)); err != nil {
		log.Fatal(err)
	}
}

func reply(asked event, way string) any {
	name, _ := first(asked, "name").(string)
	switch way {
	case "greet":
		if name == "" {
			return says("नमस्ते")
		}
		return says("नमस्ते " + name + " 😊")
	case "element":
		items := []object{{"actionable_text": "Yes", "type": "TEXT_ONLY", "payload": object{"message": "Yes"}}}
		return object{"response": []object{{"text": "Sure?", "type": "BUTTON", "data": object{"items": items}}}}
	case "details":
		reply := says("kept")
		reply["conversation_details"] = object{"step": "2"}
		reply["user_details"] = object{"city": name}
		return reply
	case "decline":
		return object{"status": false, "response": []string{"Sorry."}}
	case "amount":
		amount := first(asked, "amount").(object)
		return says(fmt.Sprintf("%v %v", amount["value"], amount["unit"]))
	case "branch":
		return object{"response": []string{"gold"}, "tier": object{"name": "gold", "points": []float64{1, 2.5}}}
	case "clock":
		return says(fmt.Sprint(time.Now().Unix()))
	case "random":
		drawn := make([]byte, 16)
		rand.Read(drawn)
		return says(hex.EncodeToString(drawn))
	case "wait":
		time.Sleep(50 * time.Millisecond)
		return says("rested")
	case "count":
		runs++
		return says(fmt.Sprint(runs))
	case "trap":
		panic("the cat walked over the keyboard")
	case "exit":
		os.Exit(3)
	case "not_json":
		fmt.Print(`{"response": ["half a rep`)
		os.Exit(0)
	case "wrong_shape":
		return object{"response": []int{7}}
	case "empty":
		return object{"response": []string{}}
	case "long":
		return says(strings.Repeat("x", 300<<10))
	case "sleep":
		time.Sleep(time.Minute)
		return says("rested")
	case "loop":
		for {
		}
	case "eat":
		var eaten [][]byte
		for {
			eaten = append(eaten, make([]byte, 1<<20))
		}
	case "recurse":
		return says(fmt.Sprint(descend(0)))
	case "calls":
		for call := range 20_000 {
			fmt.Fprintln(os.Stderr, call)
		}
		return says("called")
	case "log":
		fmt.Fprintln(os.Stderr, name, "was here")
		return says("logged")
	case "remember":
		return says(fmt.Sprint(asked.UserDetails["city"]))
	default:
		log.Fatal("no way ", way)
	}
	return nil
}

func first(asked event, entity string) any {
	if detected := asked.Entities[entity]; len(detected) > 0 {
		return detected[0].Value
	}
	return nil
}

func says(text string) object {
	return object{"status": true, "response": []string{text}}
}

func descend(depth int) int {
	return descend(depth+1) + depth
}
