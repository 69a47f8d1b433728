//! The one trait behind all views, and the view that is several views.

use crate::event::Event;

/// Something that looks at a run's events. A view never fails: what it cannot show, it leaves out.
pub trait Reporter: Send {
    /// Takes the next event, in order.
    fn event(&mut self, event: &Event);

    /// The stream ended, with or without a `RunFinished`; called once.
    fn finish(&mut self) {}
}

/// Several views as one; each event goes to all of them in the order they were added, so put the
/// [`Recorder`](crate::Recorder) first: the journal is written before anything is shown.
#[derive(Default)]
pub struct Everyone {
    reporters: Vec<Box<dyn Reporter>>,
}

impl Everyone {
    /// Adds a view behind those already there.
    #[must_use]
    pub fn and(mut self, reporter: impl Reporter + 'static) -> Self {
        self.reporters.push(Box::new(reporter));
        self
    }
}

impl Reporter for Everyone {
    fn event(&mut self, event: &Event) {
        self.reporters.iter_mut().for_each(|reporter| reporter.event(event));
    }

    fn finish(&mut self) {
        self.reporters.iter_mut().for_each(|reporter| reporter.finish());
    }
}
