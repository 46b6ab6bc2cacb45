//! Places of IP addresses.

use std::net::IpAddr;
use std::path::Path;

use masthead_ir::Value;
use maxminddb::Reader;
use serde_json::Value as Json;

/// A database of places of IP addresses, in MaxMind's format.
pub struct GeoIp {
    reader: Reader<Vec<u8>>,
}

impl std::fmt::Debug for GeoIp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoIp").field("type", &self.reader.metadata.database_type).finish()
    }
}

/// The fields that a place gives (Splunk Search Reference, iplocation); the first five without `allfields`.
pub(crate) const FIELDS: [&str; 8] = ["City", "Country", "Region", "lat", "lon", "Continent", "MetroCode", "Timezone"];
/// How many of them are given unless all are asked for.
pub(crate) const COMMON: usize = 5;

impl GeoIp {
    /// Reads a database.
    ///
    /// # Errors
    /// When the file cannot be read or is no such database.
    pub fn open(path: &Path) -> Result<GeoIp, maxminddb::MaxMindDbError> {
        Ok(GeoIp { reader: Reader::open_readfile(path)? })
    }

    /// One field of an address's place; empty text if the address or the field is not there.
    pub(crate) fn field(&self, address: &str, name: &str) -> Value {
        let found = address.trim().parse::<IpAddr>().ok().and_then(|address| {
            let place: Json = self.reader.lookup(address).ok()?.decode().ok()??;
            let pointer = match name {
                "City" => "/city/names/en",
                "Country" => "/country/names/en",
                "Region" => "/subdivisions/0/names/en",
                "lat" => "/location/latitude",
                "lon" => "/location/longitude",
                "Continent" => "/continent/names/en",
                "MetroCode" => "/location/metro_code",
                _ => "/location/time_zone",
            };
            match place.pointer(pointer)? {
                Json::String(text) => Some(Value::text(text)),
                Json::Number(number) => Some(Value::text(number.to_string())),
                _ => None,
            }
        });
        found.unwrap_or_else(|| Value::text(""))
    }
}
