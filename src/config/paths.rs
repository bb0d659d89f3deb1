//! Paths as people write them: `~/` and relative ones become absolute.

use std::path::{Path, PathBuf};

use figment::value::Value;

use super::Shape;

/// The folders against which a written path is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bases<'a> {
    /// What `~/` stands for.
    pub(super) home: Option<&'a Path>,
    /// What a relative path starts from.
    pub(super) relative_to: &'a Path,
}

impl Bases<'_> {
    /// Makes the paths in a value absolute; `None` when there is a `~` and no home folder. Other kinds stay as they are.
    pub(super) fn apply(self, shape: Shape, value: Value) -> Option<Value> {
        match (shape, &value) {
            (Shape::Folder, Value::String(_, path)) => Some(Value::from(self.absolute(path)?)),
            (Shape::Folders, Value::Array(_, folders)) => {
                let absolute = folders.iter().map(|folder| self.absolute(folder.as_str()?));
                Some(Value::from(absolute.collect::<Option<Vec<String>>>()?))
            }
            (Shape::Program, Value::String(_, program)) if program.contains('/') || program == "~" => {
                Some(Value::from(self.absolute(program)?))
            }
            _ => Some(value),
        }
    }

    fn absolute(self, written: &str) -> Option<String> {
        let path = match written.strip_prefix('~') {
            Some("") => self.home?.to_path_buf(),
            Some(rest) if rest.starts_with('/') => self.home?.join(rest.trim_start_matches('/')),
            _ => self.relative_to.join(written),
        };
        // Components drops `./` and doubled slashes; `..` stays, because behind a link it means something else.
        Some(path.components().collect::<PathBuf>().display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases() -> Bases<'static> {
        Bases { home: Some(Path::new("/home/ada")), relative_to: Path::new("/work") }
    }

    fn folder(written: &str) -> Option<String> {
        bases().apply(Shape::Folder, Value::from(written))?.into_string()
    }

    #[test]
    fn written_paths_become_absolute() {
        for (written, absolute) in [
            ("~", "/home/ada"),
            ("~/", "/home/ada"),
            ("~/data", "/home/ada/data"),
            ("data", "/work/data"),
            ("./data//x/", "/work/data/x"),
            ("../data", "/work/../data"),
            ("/srv", "/srv"),
            ("~ada/x", "/work/~ada/x"),
        ] {
            assert_eq!(folder(written).as_deref(), Some(absolute), "{written}");
        }
    }

    #[test]
    fn a_bare_program_name_is_left_to_the_path() {
        let program = |written: &str| bases().apply(Shape::Program, Value::from(written))?.into_string();
        assert_eq!(program("claude").as_deref(), Some("claude"));
        assert_eq!(program("./claude").as_deref(), Some("/work/claude"));
        assert_eq!(program("~/bin/claude").as_deref(), Some("/home/ada/bin/claude"));
    }

    #[test]
    fn a_tilde_without_a_home_is_refused() {
        let homeless = Bases { home: None, ..bases() };
        assert!(homeless.apply(Shape::Folder, Value::from("~/data")).is_none());
        assert!(homeless.apply(Shape::Folders, Value::from(vec!["/srv", "~/data"])).is_none());
    }
}
