exports.config = () => {}
