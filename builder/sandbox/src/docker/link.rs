//! A session's line to the agent in its container: the container's standard input and output, as the engine
//! passes them.

use std::io;
use std::pin::Pin;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt, stream};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_util::bytes::{Bytes, BytesMut};

use super::frame::{self, Answer, HEAD, Kind, Order};

/// How much of what an agent complains about is kept.
const COMPLAINTS: usize = 4096;

/// The line.
pub(super) struct Link {
    /// To the agent. Dropping it ends the agent.
    input: Pin<Box<dyn AsyncWrite + Send>>,
    /// From the agent.
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    /// What has come and is not taken yet.
    buffer: BytesMut,
    /// What the agent said of itself, which it does only when it cannot go on.
    complaints: Vec<u8>,
    /// What the agent is doing.
    state: State,
}

/// What an agent is doing, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for an order.
    Idle,
    /// It has got a part of a frame, and would take another's for the rest.
    Receiving,
    /// It carries an order out.
    Working,
}

/// What comes from the agent.
enum Event {
    /// Data.
    Data(Bytes),
    /// The order's end.
    End(Answer),
}

impl std::fmt::Debug for Link {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Link").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Link {
    /// The line to a container that is about to be started.
    pub(super) async fn open(docker: &Docker, container: &str) -> Result<Self, Error> {
        let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true);
        let AttachContainerResults { output, input } =
            docker.attach_container(container, Some(options.build())).await?;
        Ok(Self { input, output, buffer: BytesMut::new(), complaints: Vec::new(), state: State::Idle })
    }

    /// Gives an order.
    pub(super) async fn order(&mut self, order: &Order) -> io::Result<()> {
        self.send(Kind::Order, &serde_json::to_vec(order)?).await
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, kind: Kind, payload: &[u8]) -> io::Result<()> {
        self.state = State::Receiving;
        let head = frame::head(kind, payload.len())?;
        self.input.write_all(&[&head, payload].concat()).await?;
        self.input.flush().await?;
        self.state = State::Working;
        Ok(())
    }

    /// The data that comes until the order's end, which is then put into `answer`.
    pub(super) fn data<'a>(
        &'a mut self,
        answer: &'a mut Option<Answer>,
    ) -> Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send + 'a>> {
        Box::pin(stream::try_unfold((self, answer), |(link, answer)| async move {
            match link.next().await? {
                Event::Data(bytes) => Ok(Some((bytes, (link, answer)))),
                Event::End(end) => {
                    *answer = Some(end);
                    Ok(None)
                }
            }
        }))
    }

    /// Brings an agent back to waiting for orders, if a caller went away in the middle of one. `false` if
    /// that cannot be done.
    pub(super) async fn settle(&mut self) -> bool {
        match self.state {
            State::Idle => true,
            State::Receiving => false,
            State::Working => {
                if self.send(Kind::Stop, &[]).await.is_err() {
                    return false;
                }
                loop {
                    match self.next().await {
                        Ok(Event::Data(_)) => {}
                        Ok(Event::End(_)) => return true,
                        Err(_) => return false,
                    }
                }
            }
        }
    }

    /// The next frame. May be given up while waiting without losing anything.
    async fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some((kind, payload)) = self.take()? {
                return match kind {
                    Kind::Data => Ok(Event::Data(payload)),
                    Kind::End => {
                        self.state = State::Idle;
                        Ok(Event::End(serde_json::from_slice(&payload)?))
                    }
                    _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("the agent sent {kind:?}"))),
                };
            }
            match self.output.next().await {
                Some(Ok(LogOutput::StdErr { message })) => {
                    let room = COMPLAINTS.saturating_sub(self.complaints.len()).min(message.len());
                    self.complaints.extend_from_slice(&message[..room]);
                }
                Some(Ok(output)) => self.buffer.extend_from_slice(&output.into_bytes()),
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => {
                    let complaints = String::from_utf8_lossy(&self.complaints);
                    let reason = format!("the container has ended: {}", complaints.trim());
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason.trim_end_matches(": ")));
                }
            }
        }
    }

    /// A whole frame out of the buffer.
    fn take(&mut self) -> io::Result<Option<(Kind, Bytes)>> {
        let Some(&head) = self.buffer.first_chunk::<HEAD>() else { return Ok(None) };
        let (kind, length) = frame::parse(head)?;
        if self.buffer.len() < HEAD + length {
            return Ok(None);
        }
        let mut whole = self.buffer.split_to(HEAD + length);
        Ok(Some((kind, whole.split_off(HEAD).freeze())))
    }
}
