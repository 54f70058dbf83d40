//! What is said of packets: those of each protocol, dropped at each layer, are what was sent, in
//! JSON and in text.

mod expect;
mod layers;
mod samples;
mod tshark;
