//! Radios that exist only in the kernel (`mac80211_hwsim`), within earshot of each other.

use anyhow::{Context, Result};

use crate::{
    Mac, Namespace,
    netlink::{Socket, attribute, name},
    traffic::packet::{interface_index, send},
};

/// The module that simulates radios, and the parameter without which it begins with some that
/// everybody sees.
pub const MODULE: (&str, &str) = ("mac80211_hwsim", "radios=0");

/// The families, and the versions of their messages.
const SIMULATOR: (&str, u8) = ("MAC80211_HWSIM", 1);
const WIRELESS: (&str, u8) = ("nl80211", 1);

const NEW_RADIO: u8 = 4;
const SET_WIPHY: u8 = 2;
const SET_INTERFACE: u8 = 6;
const NEW_INTERFACE: u8 = 7;

const INTERFACE_INDEX: u16 = 3;
const INTERFACE_NAME: u16 = 4;
const INTERFACE_TYPE: u16 = 5;
const FREQUENCY: u16 = 38;
const MONITOR: u32 = 6;
/// Channel 1, on which one may send everywhere.
const MEGAHERTZ: u32 = 2412;

/// The station of the first radio, and what keeps that radio listening on the channel; the
/// second radio sends.
const STATION: &str = "wlan0";
const LISTENER: &str = "dwt-listen";
const SENDER: &str = "wlan1";

/// Address of the station.
const STATION_MAC: Mac = [2, 0, 0, 0, 0, 2];
/// Somebody whom the station does not know.
const STRANGER: Mac = [2, 0, 0, 0, 0, 3];

/// Two radios in a namespace of their own, with which they go away.
#[derive(Debug)]
pub struct Radios(Namespace);

impl Radios {
    /// Length of the frames that are too short: a header of IEEE 802.11.
    pub const RUNT: u32 = 24;

    /// A station and a sender.
    ///
    /// # Errors
    /// When the module is not loaded, or the kernel refuses.
    pub fn new() -> Result<Self> {
        let namespace = Namespace::new()?;
        let socket = namespace.run("dwt-radio", Socket::new)?;
        let ask = |(family, version): (&str, u8), command: u8, attributes: &[Vec<u8>]| {
            let answer = socket.ask(socket.family(family)?, command, version, &attributes.concat());
            answer.with_context(|| format!("{family} refuses command {command}")).map(drop)
        };
        let index = |device| {
            let index = namespace.run("dwt-radio", || interface_index(device))?;
            Ok::<_, anyhow::Error>(attribute(INTERFACE_INDEX, &index.to_ne_bytes()))
        };
        let ip =
            |line: &str| namespace.output("ip", &line.split(' ').collect::<Vec<_>>()).map(drop);
        for _ in [STATION, SENDER] {
            ask(SIMULATOR, NEW_RADIO, &[])?;
        }
        let monitor = attribute(INTERFACE_TYPE, &MONITOR.to_ne_bytes());
        let listener = [index(STATION)?, name(INTERFACE_NAME, LISTENER), monitor.clone()];
        ask(WIRELESS, NEW_INTERFACE, &listener)?;
        ask(WIRELESS, SET_INTERFACE, &[index(SENDER)?, monitor])?;
        let mac = STATION_MAC.map(|byte| format!("{byte:02x}")).join(":");
        ip(&format!("link set {STATION} address {mac}"))?;
        let frequency = attribute(FREQUENCY, &MEGAHERTZ.to_ne_bytes());
        for monitor in [LISTENER, SENDER] {
            ip(&format!("link set {monitor} up"))?;
            ask(WIRELESS, SET_WIPHY, &[index(monitor)?, frequency.clone()])?;
        }
        // With a station up the channel can only be chosen by joining a network.
        ip(&format!("link set {STATION} up"))?;
        Ok(Self(namespace))
    }

    /// Has a stranger send action frames to the station that end where their body should begin,
    /// from a thread of this name.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn send_runts(&self, thread: &str, count: u32) -> Result<()> {
        // Of version 0, 8 bytes long, with no fields.
        let radiotap = [0, 0, 8, 0, 0, 0, 0, 0];
        let action = [0xd0, 0, 0, 0];
        let sequence = [0, 0];
        let header = [&action[..], &STATION_MAC, &STRANGER, &STATION_MAC, &sequence].concat();
        self.0.run(thread, || send(SENDER, &[&radiotap[..], &header].concat(), count))
    }
}
