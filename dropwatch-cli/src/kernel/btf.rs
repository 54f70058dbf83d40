//! Asking BTF: the kernel's description of its own types.
//!
//! Format: <https://docs.kernel.org/bpf/btf.html>. The parsing is `btf-rs`'s, of files that
//! `btf_file.rs` has checked.

use std::{
    collections::{HashMap, HashSet},
    ops::{Deref, Range},
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, ensure};
use btf_rs::{Backend, BtfType, Type};
use memchr::{memmem, memrchr};

use super::{
    BTF_DIR,
    btf_file::{self, MAX_MODULE_SIZE, MAX_SIZE, Mapped, Sections},
    btf_names::Names,
};

const MISFIT: &str = "it does not fit the kernel's BTF: is it a module of that kernel?";
/// So many enums of one suffix are looked at; kernels have up to three.
const MAX_ENUMS: usize = 64;
/// How deep typedefs, qualifiers and anonymous structs are followed.
const MAX_DEPTH: usize = 16;

/// A kernel's BTF, or a module's together with the kernel's that it builds on.
pub struct Btf {
    types: btf_rs::Btf,
    strings: Strings,
    /// Where names are found fast; a module's own types are few.
    names: Option<Names>,
    /// Structs by name, each of which has many fields that are asked for.
    structs: Mutex<HashMap<String, Structs>>,
}

/// All structs of one name, with their ids.
type Structs = Arc<[(u32, btf_rs::Struct)]>;

/// The strings that types have as their names.
enum Strings {
    /// A module's.
    Own(Vec<u8>),
    /// A kernel's: a part of its file.
    Part(Mapped, Range<usize>),
}

impl Deref for Strings {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Part(file, range) => &file[range.clone()],
        }
    }
}

/// An enum's name, and its members' names and values. Values are sign-extended to 64 bits
/// where the enum is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// The enum's name.
    pub name: String,
    /// The members in the order of their declaration.
    pub members: Vec<(String, u64)>,
}

impl Btf {
    /// Whether the running kernel shows its BTF.
    pub fn is_there() -> bool {
        Path::new(BTF_DIR).join("vmlinux").exists()
    }

    /// The running kernel's own.
    ///
    /// # Errors
    /// When the kernel shows none, with what that means.
    pub fn of_running_kernel() -> Result<Self> {
        let path = Path::new(BTF_DIR).join("vmlinux");
        ensure!(
            path.exists(),
            "no BTF at {}: kernel {} was built without CONFIG_DEBUG_INFO_BTF, or sysfs is not mounted; \
             dropwatch reads names and offsets from it, so use a kernel that has it (all current \
             distributions' have)",
            path.display(),
            super::release(),
        );
        Mapped::of_kernel(&path).and_then(Self::read).with_context(|| cannot_read(&path))
    }

    /// A kernel's BTF from a file.
    ///
    /// # Errors
    /// When the file cannot be read or is not BTF.
    pub fn open(path: &Path) -> Result<Self> {
        Mapped::copy(path, MAX_SIZE).and_then(Self::read).with_context(|| cannot_read(path))
    }

    /// A module's BTF from a file, on top of its kernel's.
    ///
    /// # Errors
    /// When the file cannot be read, is not BTF, or does not fit the base.
    pub fn open_split(path: &Path, base: &Self) -> Result<Self> {
        Self::read_split(path, base)
            .with_context(|| format!("cannot read module BTF from {}", path.display()))
    }

    fn read(file: Mapped) -> Result<Self> {
        let Sections { types, strings, native } = btf_file::check(&file)?;
        let names = native.then(|| Names::read(&file[types], &file[strings.clone()])).flatten();
        ensure!(
            file[strings.clone()].first() == Some(&0),
            "this is the BTF of a module; name that of its kernel first"
        );
        // Unlike the other backend, Mmap decodes only the types that are asked for.
        let types = btf_rs::Btf::from_file_with_backend(file.path(), Backend::Mmap)?;
        Ok(Self { types, strings: Strings::Part(file, strings), names, structs: Mutex::default() })
    }

    fn read_split(path: &Path, base: &Self) -> Result<Self> {
        let bytes = btf_file::read(path, MAX_MODULE_SIZE)?;
        let strings = bytes[btf_file::check(&bytes)?.strings].to_vec();
        ensure!(strings.first() != Some(&0), "this is the BTF of a kernel, not of a module");
        let types = btf_rs::Btf::from_split_bytes(&bytes, &base.types).context(MISFIT)?;
        let strings = Strings::Own(strings);
        let split = Self { types, strings, names: None, structs: Mutex::default() };
        ensure!(split.fits(base), MISFIT);
        Ok(split)
    }

    /// Whether all names of this module's types begin where a string begins. On top of another
    /// kernel's BTF they stand anywhere.
    fn fits(&self, base: &Self) -> bool {
        let begins = |offset: u32| {
            let before = (offset as usize).checked_sub(1);
            let byte = before.map(|before| match before.checked_sub(base.strings.len()) {
                Some(own) => self.strings.get(own),
                None => base.strings.get(before),
            });
            byte.is_none_or(|byte| byte == Some(&0))
        };
        let mut types = self.types.split().into_iter().flat_map(|own| {
            let (first, last) = own.type_id_range();
            (first..=last).filter_map(|id| own.resolve_type_by_id(id).ok())
        });
        types.all(|each| {
            each.as_btf_type().and_then(BtfType::get_name_offset).is_none_or(begins)
                && match &each {
                    Type::Enum(found) => all_begin(&found.members, begins),
                    Type::Enum64(found) => all_begin(&found.members, begins),
                    _ => true,
                }
        })
    }

    /// All named enums whose name ends so. Of a module's BTF, only the module's own.
    pub fn enums_ending_in(&self, suffix: &str) -> Vec<Enum> {
        let end = [suffix.as_bytes(), b"\0"].concat();
        memmem::find_iter(&self.strings, &end)
            .take(MAX_ENUMS)
            .filter_map(|at| {
                let begin = memrchr(0, &self.strings[..at]).map_or(0, |zero| zero + 1);
                self.named_enum(str::from_utf8(&self.strings[begin..at + suffix.len()]).ok()?)
            })
            .collect()
    }

    /// The enum of this name.
    pub fn named_enum(&self, name: &str) -> Option<Enum> {
        let types = self.types_named(name)?;
        let members = types.iter().find_map(|each| match each {
            Type::Enum(found) => {
                let value =
                    |raw: u32| if found.is_signed() { raw as i32 as u64 } else { raw.into() };
                Some(self.named(&found.members, |member| value(member.val())))
            }
            Type::Enum64(found) => Some(self.named(&found.members, btf_rs::Enum64Member::val)),
            _ => None,
        })?;
        Some(Enum { name: name.to_owned(), members })
    }

    fn named<T: BtfType>(&self, members: &[T], value: impl Fn(&T) -> u64) -> Vec<(String, u64)> {
        let name = |member| self.types.resolve_name(member).ok().filter(|name| !name.is_empty());
        members.iter().filter_map(|member| Some((name(member)?, value(member)))).collect()
    }

    /// Byte offset of a struct's member, those of anonymous structs and unions within it
    /// included; `ns.inum` is a member's member. None where there is no such struct or member, or
    /// it is a bit field.
    pub fn member_offset(&self, struct_name: &str, path: &str) -> Option<u32> {
        let (bits, bit_size) = self.member(struct_name, path)?;
        (bit_size == 0 && bits % u8::BITS == 0).then_some(bits / u8::BITS)
    }

    /// Byte offset of a struct's bit field of one bit, and the bit's mask in that byte.
    pub fn member_bit(&self, struct_name: &str, member: &str) -> Option<(u32, u8)> {
        let (bits, bit_size) = self.member(struct_name, member)?;
        (bit_size == 1).then_some((bits / u8::BITS, 1 << (bits % u8::BITS)))
    }

    /// How many elements of one byte a struct's own member has, where it is an array of such.
    pub fn array_len(&self, struct_name: &str, member: &str) -> Option<usize> {
        let structs = self.structs(struct_name)?;
        let member = structs
            .iter()
            .flat_map(|(_, found)| &found.members)
            .find(|each| self.types.resolve_name(*each).is_ok_and(|name| name == member))?;
        let Type::Array(array) = self.types.resolve_chained_type(member).ok()? else {
            return None;
        };
        match self.types.resolve_chained_type(&array).ok()? {
            Type::Int(int) if int.size() == 1 => Some(array.len()),
            _ => None,
        }
    }

    /// The id of the struct of this name.
    pub fn struct_id(&self, name: &str) -> Option<u32> {
        self.structs(name)?.first().map(|(id, _)| *id)
    }

    /// Offset in bits of a struct's member, and its size in bits where it is a bit field.
    fn member(&self, struct_name: &str, path: &str) -> Option<(u32, u32)> {
        let structs = self.structs(struct_name)?;
        structs
            .iter()
            .find_map(|(_, found)| self.member_in(found, path, MAX_DEPTH, &mut HashSet::new()))
    }

    fn structs(&self, name: &str) -> Option<Structs> {
        let mut structs = self.structs.lock().ok()?;
        if let Some(known) = structs.get(name) {
            return Some(Arc::clone(known));
        }
        let found: Structs = self
            .ids_named(name)?
            .into_iter()
            .filter_map(|id| match self.types.resolve_type_by_id(id).ok()? {
                Type::Struct(found) => Some((id, found)),
                _ => None,
            })
            .collect();
        structs.insert(name.to_owned(), Arc::clone(&found));
        Some(found)
    }

    /// Structs that were searched in vain are not searched again: damaged BTF can have one contain
    /// itself many times.
    fn member_in(
        &self,
        outer: &btf_rs::Struct,
        path: &str,
        depth: usize,
        searched: &mut HashSet<u32>,
    ) -> Option<(u32, u32)> {
        let depth = depth.checked_sub(1)?;
        let (wanted, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        outer.members.iter().find_map(|member| {
            let name = self.types.resolve_name(member).ok()?;
            let rest = match rest {
                None if name == wanted => {
                    return Some((member.bit_offset(), member.bitfield_size().unwrap_or(0)));
                }
                Some(rest) if name == wanted => rest,
                _ if name.is_empty() && searched.insert(member.get_type_id()?) => path,
                _ => return None,
            };
            match self.types.resolve_chained_type(member).ok()? {
                Type::Struct(inner) | Type::Union(inner) => {
                    let (bits, size) = self.member_in(&inner, rest, depth, searched)?;
                    Some((member.bit_offset().checked_add(bits)?, size))
                }
                _ => None,
            }
        })
    }

    /// The id of the function of this name.
    pub fn function_id(&self, name: &str) -> Option<u32> {
        self.id_of(name, |found| matches!(found, Type::Func(_)))
    }

    /// Where in a section of the kernel's image a variable is, in bytes from its begin.
    pub fn variable_offset(&self, section: &str, name: &str) -> Option<u32> {
        let sections = self.types_named(section)?;
        let ids = self.ids_named(name)?;
        sections.iter().find_map(|each| match each {
            Type::Datasec(found) => {
                let is_meant = |of: Option<u32>| of.is_some_and(|of| ids.contains(&of));
                let variable = found.variables.iter().find(|each| is_meant(each.get_type_id()))?;
                Some(variable.offset())
            }
            _ => None,
        })
    }

    /// The parameters' types of the function that a typedef points to, as C would name them:
    /// `struct sock *`, `enum skb_drop_reason`. Qualifiers are left out.
    pub fn function_pointer(&self, typedef: &str) -> Option<Vec<String>> {
        let types = self.types_named(typedef)?;
        let typedef = types.iter().find_map(|each| match each {
            Type::Typedef(found) => Some(found),
            _ => None,
        })?;
        let Type::Ptr(pointer) = self.types.resolve_chained_type(typedef).ok()? else {
            return None;
        };
        let Type::FuncProto(prototype) = self.types.resolve_chained_type(&pointer).ok()? else {
            return None;
        };
        Some(prototype.parameters.iter().map(|each| self.type_name(each, MAX_DEPTH)).collect())
    }

    fn type_name(&self, referrer: &dyn BtfType, depth: usize) -> String {
        let unknown = || "?".to_owned();
        let Some(depth) = depth.checked_sub(1) else { return unknown() };
        let Ok(found) = self.types.resolve_chained_type(referrer) else { return unknown() };
        let named = |prefix: &str, each: &dyn BtfType| {
            self.types
                .resolve_name(each)
                .map_or_else(|_| unknown(), |name| format!("{prefix}{name}"))
        };
        match &found {
            Type::Void => "void".to_owned(),
            Type::Ptr(pointer) => format!("{} *", self.type_name(pointer, depth)),
            Type::Const(inner) | Type::Volatile(inner) | Type::Restrict(inner) => {
                self.type_name(inner, depth)
            }
            Type::TypeTag(inner) => self.type_name(inner, depth),
            Type::Struct(each) => named("struct ", each),
            Type::Union(each) => named("union ", each),
            Type::Enum(each) => named("enum ", each),
            Type::Enum64(each) => named("enum ", each),
            other => other.as_btf_type().map_or_else(unknown, |each| named("", each)),
        }
    }

    /// The id of the typedef of this name, by which the kernel is told where to attach.
    pub fn typedef_id(&self, name: &str) -> Option<u32> {
        self.id_of(name, |found| matches!(found, Type::Typedef(_)))
    }

    fn ids_named(&self, name: &str) -> Option<Vec<u32>> {
        match &self.names {
            Some(names) => Some(names.ids(&self.strings, name)),
            None => self.types.resolve_ids_by_name(name).ok(),
        }
    }

    fn types_named(&self, name: &str) -> Option<Vec<Type>> {
        let ids = self.ids_named(name)?;
        Some(ids.into_iter().filter_map(|id| self.types.resolve_type_by_id(id).ok()).collect())
    }

    fn id_of(&self, name: &str, is_meant: impl Fn(&Type) -> bool) -> Option<u32> {
        let ids = self.ids_named(name)?;
        ids.into_iter()
            .find(|&id| self.types.resolve_type_by_id(id).is_ok_and(|found| is_meant(&found)))
    }
}

impl std::fmt::Debug for Btf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Btf").finish_non_exhaustive()
    }
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read BTF from {}", path.display())
}

fn all_begin<T: BtfType>(members: &[T], begins: impl Fn(u32) -> bool) -> bool {
    members.iter().filter_map(BtfType::get_name_offset).all(begins)
}
