//! Which container a process is in, by the name of its cgroup.

/// What the names of scopes begin with that container engines make.
const SCOPES: [(&str, &str); 5] = [
    ("docker-", "docker"),
    ("cri-containerd-", "containerd"),
    ("crio-", "crio"),
    ("libpod-", "podman"),
    ("nerdctl-", "nerdctl"),
];
/// Length of a container's whole id, and of the part that people use.
const ID_LEN: usize = 64;
const SHORT_ID_LEN: usize = 12;

/// `docker:0123456789ab`, from the lines of `/proc/PID/cgroup`. Of containers in containers it is
/// the innermost.
pub fn of_cgroups(text: &str) -> Option<String> {
    text.lines().find_map(|line| of_path(line.splitn(3, ':').nth(2)?))
}

fn of_path(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    (0..segments.len()).rev().find_map(|index| of_segment(segments[index], &segments[..index]))
}

fn of_segment(segment: &str, parents: &[&str]) -> Option<String> {
    let parent = parents.last().copied().unwrap_or_default();
    if let Some(payload) = segment.strip_prefix("lxc.payload.") {
        return Some(format!("lxc:{payload}"));
    }
    if matches!(parent, "lxc" | "lxc.payload") {
        return Some(format!("lxc:{segment}"));
    }
    if let Some(machine) = nspawn(segment) {
        return Some(format!("nspawn:{machine}"));
    }
    // `kubepods-….slice:cri-containerd:ID` is what runc makes of a path it was not meant for.
    let name = segment.strip_suffix(".scope").unwrap_or(segment).replace(':', "-");
    if let Some(id) = id(&name) {
        return Some(format!("{}:{id}", engine(parents)));
    }
    let of_scope = |(begin, engine): &(&str, &str)| {
        let (_, rest) = name.rsplit_once(begin)?;
        Some(format!("{engine}:{}", id(rest)?))
    };
    SCOPES.iter().find_map(of_scope)
}

/// Whose cgroups those are in which an id stands by itself.
fn engine(parents: &[&str]) -> &'static str {
    let within = |name: &str| parents.iter().any(|parent| parent.starts_with(name));
    if within("kubepods") {
        "kubernetes"
    } else if within("libpod") {
        "podman"
    } else if within("docker") {
        "docker"
    } else {
        "container"
    }
}

fn id(text: &str) -> Option<&str> {
    let is_id = text.len() == ID_LEN && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| &text[..SHORT_ID_LEN])
}

fn nspawn(segment: &str) -> Option<String> {
    let service = segment.strip_prefix("systemd-nspawn@").and_then(|s| s.strip_suffix(".service"));
    // Virtual machines have such scopes too, but no processes of their own in them.
    let scope = segment.strip_prefix("machine-").and_then(|s| s.strip_suffix(".scope"));
    let scope = scope.filter(|name| !name.starts_with("qemu"));
    Some(service.or(scope)?.replace("\\x2d", "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_known_by_their_cgroups() {
        let id = "0123456789abcdef".repeat(4);
        for (path, container) in [
            ("/system.slice/docker-ID.scope", "docker:0123456789ab"),
            ("/docker/ID", "docker:0123456789ab"),
            ("/docker/ID/init.scope", "docker:0123456789ab"),
            (
                "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ID.scope",
                "containerd:0123456789ab",
            ),
            ("/kubepods/besteffort/pod1/ID", "kubernetes:0123456789ab"),
            ("/system.slice/kubepods-pod1.slice:cri-containerd:ID", "containerd:0123456789ab"),
            ("/kubepods.slice/crio-ID.scope", "crio:0123456789ab"),
            ("/machine.slice/libpod-ID.scope/container", "podman:0123456789ab"),
            ("/lxc.payload.web/system.slice/nginx.service", "lxc:web"),
            ("/lxc/web", "lxc:web"),
            ("/machine.slice/systemd-nspawn@web.service/payload", "nspawn:web"),
            ("/machine.slice/machine-a\\x2db.scope", "nspawn:a-b"),
            ("/garden/ID", "container:0123456789ab"),
        ] {
            let text = format!("0::{}\n", path.replace("ID", &id));
            assert_eq!(of_cgroups(&text).as_deref(), Some(container), "{path}");
        }
    }

    #[test]
    fn older_hierarchies_count_too() {
        let text = format!("12:memory:/docker/{}\n1:name=systemd:/\n0::/\n", "ab".repeat(32));
        assert_eq!(of_cgroups(&text).as_deref(), Some("docker:abababababab"));
    }

    #[test]
    fn other_cgroups_are_no_containers() {
        for path in [
            "",
            "/",
            "/user.slice/user-1000.slice/session-2.scope",
            "/system.slice/docker.service",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
            "/process_api/564398b337b38c78bbbf880a11cda892",
        ] {
            assert_eq!(of_cgroups(&format!("0::{path}\n")), None, "{path}");
        }
        assert_eq!(of_cgroups("nonsense"), None);
    }
}
