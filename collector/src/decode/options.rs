//! Options data: what exporters say about themselves. It gives no rows.

use std::sync::Arc;

use flow::clock::NANOS_PER_MILLI;

use super::cell::{Cells, unsigned};
use super::plan::{Field, places};
use super::records::{Place, Records};
use super::rows::clean;
use super::template::Template;
use crate::fields::{Element, Form};

/// One thing that options data said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A sampling interval: domain (if another than the packet's), sampler (if one is named), interval.
    Sampling {
        domain: Option<u32>,
        sampler: Option<u64>,
        interval: u32,
    },
    /// An interface's name.
    Interface(u64, Arc<str>),
    /// An application's name.
    Application(u64, Arc<str>),
    /// A VRF's name.
    Vrf(u64, Arc<str>),
    /// When uptime was 0, nanoseconds since the epoch.
    SystemInit(i64),
}

/// Reads every record of an options Set.
pub(crate) fn read(template: &Template, records: &Records<'_>, said: &mut Vec<Said>) {
    let finder = Finder {
        fields: &template.fields,
    };
    let interface_name = finder.find(&[82]).or(finder.find(&[83]));
    let interface = finder.find(&[10]).or(finder.find(&[14]));
    let application_name = finder.find(&[96]).or(finder.find(&[94]));
    let application = finder.find(&[95]);
    let vrf_name = finder.find(&[236]);
    let vrf = finder.find(&[234]).or(finder.find(&[235]));
    let init = finder.find(&[160]);
    let domain = finder.find(&[149]);
    for index in 0..records.count() {
        let number = |place: Option<Place>| unsigned(records.at(place?).cell(index));
        let text = |place: Option<Place>| clean(records.at(place?).cell(index)).map(Arc::from);
        let plan = &template.plan.sampling;
        if let Some(interval) = plan.interval(records, index) {
            said.push(Said::Sampling {
                domain: number(domain).and_then(|id| u32::try_from(id).ok()),
                sampler: plan.sampler(records, index),
                interval,
            });
        }
        if let (Some(id), Some(name)) = (number(interface), text(interface_name)) {
            said.push(Said::Interface(id, name));
        }
        if let (Some(place), Some(name)) = (application, text(application_name)) {
            let octets = records.at(place).cell(index);
            let id = <u64 as super::cell::Cell>::read(octets, Form::ApplicationId);
            said.extend(id.map(|id| Said::Application(id, name)));
        }
        if let (Some(id), Some(name)) = (number(vrf), text(vrf_name)) {
            said.push(Said::Vrf(id, name));
        }
        if let Some(init) = number(init).and_then(|init| i64::try_from(init).ok())
            && init > 0
        {
            said.push(Said::SystemInit(init.saturating_mul(NANOS_PER_MILLI)));
        }
    }
}

struct Finder<'a> {
    fields: &'a [Field],
}

impl Finder<'_> {
    /// The first field that is one of these IANA elements and not empty.
    fn find(&self, ids: &[u16]) -> Option<Place> {
        self.fields
            .iter()
            .zip(places(self.fields))
            .find(|(field, _)| {
                field.length != 0 && ids.iter().any(|id| field.element == Element::iana(*id))
            })
            .map(|(_, place)| place)
    }
}
