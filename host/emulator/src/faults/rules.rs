//! Counts the requests that fit each fault and says which faults a request meets.

use super::script::{Action, Fault, FaultScript, JobFault, PageFault, RouteName, Times};

/// The faults of a script with how many requests have fitted each so far.
#[derive(Debug)]
pub struct Rules {
    counted: Vec<(Fault, u64)>,
}

/// What one request meets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fired {
    /// Every action, in the order of the script.
    pub actions: Vec<Action>,
}

impl Fired {
    /// Faults of the result page, in the order of the script.
    pub fn page_faults(&self) -> Vec<PageFault> {
        self.actions.iter().filter_map(Action::page_fault).collect()
    }

    /// Faults of the job, in the order of the script.
    pub fn job_faults(&self) -> Vec<JobFault> {
        self.actions.iter().filter_map(Action::job_fault).collect()
    }
}

impl Rules {
    /// Rules of a script, nothing counted yet.
    pub fn new(script: FaultScript) -> Rules {
        Rules { counted: script.faults.into_iter().map(|fault| (fault, 0)).collect() }
    }

    /// Counts a request and gives what it meets.
    pub fn meet(&mut self, method: &str, path: &str, route: RouteName) -> Fired {
        let mut fired = Fired::default();
        for (fault, seen) in &mut self.counted {
            if !fits(fault, method, path, route) {
                continue;
            }
            *seen += 1;
            let since_first = *seen >= fault.on.nth;
            let before_end = match fault.on.times {
                Times::Count(times) => *seen - fault.on.nth.min(*seen) < times,
                Times::Always(_) => true,
            };
            if since_first && before_end {
                fired.actions.push(fault.action.clone());
            }
        }
        fired
    }
}

fn fits(fault: &Fault, method: &str, path: &str, route: RouteName) -> bool {
    let on = &fault.on;
    on.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method))
        && on.route.is_none_or(|r| r == route)
        && on.path.as_deref().is_none_or(|pattern| glob(pattern, path))
}

/// Whether `text` fits `pattern`, in which `*` stands for any run of characters.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/bc", false),
            ("/a/*/c", "/a/x/y/c", true),
            ("/a/*/c", "/a/x/y/d", false),
            ("*", "", true),
            ("*b*b", "ab", false),
            ("*b*b", "abb", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_nth_and_so_many() {
        let script =
            FaultScript::parse("[[fault]]\non = { route = \"query\", nth = 2, times = 2 }\ndo = { kind = \"stall\" }")
                .unwrap();
        let mut rules = Rules::new(script);
        let met: Vec<usize> = (0..5).map(|_| rules.meet("GET", "/x", RouteName::Query).actions.len()).collect();
        assert_eq!(met, [0, 1, 1, 0, 0]);
        assert_eq!(rules.meet("GET", "/x", RouteName::Limits), Fired::default());
    }
}
