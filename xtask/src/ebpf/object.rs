//! The linked object and what is done to it before it is committed.

use super::provenance::{self, Provenance};
use anyhow::{Context as _, Result, bail};
use object::{
    build::elf::{Builder, SectionData},
    elf,
    read::elf::{ElfFile64, FileHeader as _, SectionHeader as _},
};

/// Takes the debug information for debuggers out of a linked object and writes into it what it
/// is made of.
pub fn finish(linked: &[u8], provenance: &Provenance) -> Result<Vec<u8>> {
    let mut builder = Builder::read(linked).context("cannot parse what the linker wrote")?;
    for section in &mut builder.sections {
        let name = section.name.to_string();
        // The kernel and aya read .BTF and .BTF.ext only.
        section.delete = name.starts_with(".debug_") || name.starts_with(".rel.debug_");
        if name == ".BTF"
            && let SectionData::Data(data) = &mut section.data
        {
            shorten_paths(data.to_mut())?;
        }
    }

    // LLVM keeps the names of sections and symbols in one table, but here each has its own.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;

    let build = builder.sections.add();
    build.name = provenance::SECTION.as_bytes().into();
    build.sh_type = elf::SHT_PROGBITS;
    build.sh_addralign = 1;
    build.data = SectionData::Data(provenance.to_string().into_bytes().into());

    let mut object = Vec::new();
    builder.write(&mut object).context("cannot write the BPF object")?;
    Ok(object)
}

/// Renames the folder that Debian's `core` says it was compiled in. No flag can: `core` comes
/// compiled. The rest of the shorter name's room becomes empty strings, so that all others stay
/// where they are.
fn shorten_paths(btf: &mut [u8]) -> Result<()> {
    const COMPILED_IN: &[u8] = b"/usr/src/rustc-";
    for string in strings(btf)?.split_mut(|byte| *byte == 0) {
        if !string.starts_with(COMPILED_IN) {
            continue;
        }
        let Some(folder) = string[COMPILED_IN.len()..].iter().position(|byte| *byte == b'/') else {
            continue;
        };
        let short = [b"/rust", &string[COMPILED_IN.len() + folder..]].concat();
        string.fill(0);
        string[..short.len()].copy_from_slice(&short);
    }
    Ok(())
}

/// The strings of a .BTF section: see "BTF type and string encoding" in
/// <https://docs.kernel.org/bpf/btf.html>.
fn strings(btf: &mut [u8]) -> Result<&mut [u8]> {
    let word = |at: usize| -> Option<usize> {
        let bytes = btf.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    };
    let range = (|| {
        let (header, offset, length) = (word(4)?, word(16)?, word(20)?);
        Some(header + offset..header + offset + length)
    })();
    range.and_then(|range| btf.get_mut(range)).context("the linker wrote a broken .BTF section")
}

/// A section's content.
pub fn section<'a>(object: &'a [u8], name: &str) -> Result<Option<&'a [u8]>> {
    Ok(sections(object)?
        .into_iter()
        .find_map(|(found, content)| (found == name).then_some(content)))
}

/// Where two objects differ first.
pub fn first_difference(left: &[u8], right: &[u8]) -> Result<Option<String>> {
    if left == right {
        return Ok(None);
    }
    let (left, right) = (sections(left)?, sections(right)?);
    let pairs = left.iter().zip(&right);
    for ((left_name, left_content), (right_name, right_content)) in pairs {
        if left_name != right_name || left_content != right_content {
            return Ok(Some(format!("section {left_name}")));
        }
    }
    if left.len() != right.len() {
        return Ok(Some("the number of sections".to_owned()));
    }
    Ok(Some("the headers".to_owned()))
}

/// The names and contents of all sections.
fn sections(object: &[u8]) -> Result<Vec<(String, &[u8])>> {
    let file = ElfFile64::<object::LittleEndian>::parse(object)
        .context("the BPF object is no ELF file of 64 bits")?;
    let endian = file.endian();
    if file.elf_header().e_machine(endian) != elf::EM_BPF {
        bail!("the BPF object is for another machine");
    }
    let table = file.elf_section_table();
    table
        .iter()
        .map(|header| {
            let name = table.section_name(endian, header)?;
            let content = header.data(endian, object)?;
            Ok((String::from_utf8_lossy(name).into_owned(), content))
        })
        .collect::<object::Result<_>>()
        .context("the BPF object has a broken section")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn btf(text: &[u8]) -> Vec<u8> {
        let mut btf = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, 4, 4, text.len() as u32] {
            btf.extend(word.to_le_bytes());
        }
        btf.extend([1, 2, 3, 4]);
        btf.extend(text);
        btf
    }

    #[test]
    fn a_shorter_path_leaves_the_others_where_they_are() -> Result<()> {
        let mut changed = btf(b"\0a\0/usr/src/rustc-1.96.0/library/core/src/x.rs\0b\0");
        shorten_paths(&mut changed)?;
        let room = "/usr/src/rustc-1.96.0".len() - "/rust".len();
        let expected =
            [b"\0a\0/rust/library/core/src/x.rs".as_slice(), &vec![0; room], b"\0b\0"].concat();
        assert_eq!(changed, btf(&expected));
        Ok(())
    }

    #[test]
    fn other_paths_stay() -> Result<()> {
        let before = btf(b"\0/usr/src/rustc-\0/dropwatch/src/main.rs\0");
        let mut after = before.clone();
        shorten_paths(&mut after)?;
        assert_eq!(after, before);
        Ok(())
    }

    #[test]
    fn a_broken_section_is_an_error() {
        assert!(shorten_paths(&mut [0; 20]).is_err());
        assert!(shorten_paths(&mut btf(b"")[..27]).is_err());
    }
}
