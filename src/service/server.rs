//! Connections: limited in number and in the time that a header may take, and shut down gracefully.

use std::{future::poll_fn, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tower::ServiceExt as _;

use super::{Service, guard::Peer};

/// Further ones wait in the system's backlog.
const MOST_CONNECTIONS: usize = 512;
/// Of a request, and between two of them.
const HEADER_PATIENCE: Duration = Duration::from_secs(20);
/// What requests and jobs get to come to an end, or to a place from which they go on.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
/// After an error such as «too many open files».
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub async fn run(listener: TcpListener, router: Router, service: &Arc<Service>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop_signal());
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut stop => break,
        };
        let Some(Accepted { stream, peer, place }) = accepted else { continue };
        // Answers are small and wait for nothing.
        let _ = stream.set_nodelay(true);
        let router = router.clone().map_request(move |request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            request
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_PATIENCE)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    service.close();
    let _ = timeout(SHUTDOWN_PATIENCE, graceful.shutdown()).await;
    let _ = timeout(SHUTDOWN_PATIENCE, async {
        while !service.clip_workers.is_idle() {
            sleep(ACCEPT_PAUSE).await;
        }
    })
    .await;
}

/// A connection that has come in, and its place among those that may be open at once.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some(Accepted { stream, peer, place }),
        Err(error) => {
            tracing::warn!("a connection could not be taken: {error}");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn stop_signal() {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<_> = signals.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    poll_fn(|context| {
        let came = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if came { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}
