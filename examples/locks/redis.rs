//! A client of Redis: `SET NX PX` to have a lock, compare-and-delete in a script to give it back.

use anyhow::{Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::Locker;

/// As the Redis documentation gives it.
const RELEASE: &str =
    "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

/// As long as a lease of Tandem, in milliseconds.
const TTL_MILLIS: &str = "300000";

/// See the module.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// Only who has set it gives it back.
    own: String,
    script: String,
}

impl Client {
    pub async fn connect(address: &str, number: usize) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut client =
            Self { stream: BufReader::new(stream), own: format!("client-{number}"), script: String::new() };
        client.script = client.ask(&["SCRIPT", "LOAD", RELEASE]).await?;
        Ok(client)
    }

    /// Sends one command and returns its answer; nothing for a nil.
    async fn ask(&mut self, words: &[&str]) -> Result<String> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(command.as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let line = line.trim_end();
        match line.split_at_checked(1) {
            Some(("+" | ":", rest)) => Ok(rest.to_owned()),
            Some(("$", "-1")) | Some(("_", _)) => Ok(String::new()),
            Some(("$", length)) => {
                let mut text = vec![0; length.parse::<usize>()? + 2];
                self.stream.read_exact(&mut text).await?;
                text.truncate(text.len() - 2);
                Ok(String::from_utf8(text)?)
            }
            _ => bail!("redis says {line:?}"),
        }
    }
}

impl Locker for Client {
    async fn acquire(&mut self, resource: usize) -> Result<()> {
        let (key, own) = (format!("lock-{resource}"), self.own.clone());
        while self.ask(&["SET", &key, &own, "NX", "PX", TTL_MILLIS]).await? != "OK" {}
        Ok(())
    }

    async fn release(&mut self, resource: usize) -> Result<()> {
        let (key, own, script) = (format!("lock-{resource}"), self.own.clone(), self.script.clone());
        match self.ask(&["EVALSHA", &script, "1", &key, &own]).await?.as_str() {
            "1" => Ok(()),
            other => bail!("the lock was not its own any more: {other:?}"),
        }
    }
}
