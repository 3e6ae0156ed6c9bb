// The price of a product: the event comes on standard input, the reply goes to standard output.
package main

import (
	"encoding/json"
	"log"
	"os"
)

type event struct {
	Entities map[string][]struct {
		// A text, or an object such as {"value": "2", "unit": "quantity"}.
		Value any `json:"entity_value"`
	} `json:"entities"`
}

type reply struct {
	Status   bool     `json:"status"`
	Response []string `json:"response"`
}

func main() {
	var asked event
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(priceOf(product(asked))); err != nil {
		log.Fatal(err)
	}
}

func product(asked event) any {
	if named := asked.Entities["product_name"]; len(named) > 0 {
		return named[0].Value
	}
	return nil
}

func priceOf(product any) reply {
	switch product {
	case "speaker":
		return reply{true, []string{"The price of the speaker is ₹1500."}}
	case "powerbank":
		return reply{true, []string{"The price of the powerbank is ₹1000."}}
	default:
		return reply{false, []string{"Sorry, we don't sell that."}}
	}
}
