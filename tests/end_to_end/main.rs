//! The server from outside: raw bytes to real sockets on port 0, and the built programs.

mod clients;
mod hostile;
mod http_client;
mod lifecycle;
mod loadtest;
mod metrics;
mod parity;
mod resp;
mod resp_client;
mod rest;
mod rouille_listener;
mod server;
mod socket;
